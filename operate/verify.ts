/**
 * Checks a diff that is not mounted, and leaves it as it is.
 *
 * @module
 */

import { type Base, type Codecs, loadCodecs, sourceOf } from "../backup/mod.ts";
import { type Binding, checkBinding, DIFF_NAMES, pathsIn, readBinding } from "../binding/mod.ts";
import { ERRNO, errnoOf, PbkfsError } from "../errors.ts";
import { byteStringOf } from "../ffi/bytes.ts";
import { FLOCK, type Libc, OPEN, systemLibc } from "../ffi/libc.ts";
import { openDiffFile } from "../ffi/open_beneath.ts";
import {
  describeWrong,
  inspectStore,
  measure,
  PathsOf,
  type StoredState,
  unnamed,
} from "../overlay/mod.ts";
import { actForOwnerOfDiff } from "../daemon/mod.ts";
import { mustNotBeMounted, realDirectory } from "./cleanup.ts";
import { findBackup, type WantedBackup } from "./find_backup.ts";
import { lostAndFound } from "./lost_and_found.ts";
import { checkPages } from "./verify_pages.ts";
import type { VerifyFinding, VerifyReport } from "./verify_report.ts";

/** Which diff, and where its backup is, if not where it was. */
export type VerifyOptions = Omit<WantedBackup, "instance" | "backupId">;

interface Loaded {
  readonly codecs: Codecs;
}

/**
 * Checks a diff: binding, metadata, lengths of data files, checksums of pages, and what nothing
 * names. From then on root's process has the rights of the diff's owner.
 *
 * @throws {PbkfsError} `DiffMissing`, `DiffInUse` if it is mounted, and what a mount throws about
 * the catalog, which tells the names of files.
 */
export async function verifyDiff(options: VerifyOptions): Promise<VerifyReport> {
  // While the program can be read: see `act_for_owner.ts`.
  const codecs = await loadCodecs();
  const diffPath = realDirectory(actForOwnerOfDiff(options.diffPath));
  mustNotBeMounted(diffPath);
  const libc = systemLibc();
  const unlock = keepFromMounts(diffPath, libc);
  try {
    return await verifyLocked(diffPath, { ...options, codecs }, libc);
  } finally {
    unlock();
  }
}

async function verifyLocked(
  diffPath: string,
  options: VerifyOptions & Loaded,
  libc: Libc,
): Promise<VerifyReport> {
  const findings: VerifyFinding[] = [];
  const none = { diffPath, dataFiles: 0, pages: 0, findings };
  const binding = bindingOf(diffPath, findings);
  if (binding === undefined) return none;
  const { store, data: dataDirectory } = pathsIn(diffPath);
  const { state, damages } = await inspectStore(store, binding.metadata?.generation);
  findings.push(
    ...damages.map((text) => ({ level: "damage", about: "metadata", text } as const)),
  );
  findings.push(...await straysIn(diffPath, state));
  if (state === undefined) return none;
  const base = await openBase(binding, options, diffPath);
  try {
    const paths = new PathsOf(base, state);
    const pathOf = (ino: Parameters<PathsOf["path"]>[0]) => paths.path(ino);
    const { wrong } = measure({ libc, dataDirectory, state });
    for (const file of wrong) {
      const text = `a data file is missing or too short: ${describeWrong(file, pathOf)}`;
      findings.push({ level: "damage", about: "data file", path: pathOf(file.ino), text });
    }
    const checked = checkPages({ base, state, libc, dataDirectory, pathOf });
    findings.push(...checked.findings);
    return { ...none, dataFiles: state.contentCount, pages: checked.pages };
  } finally {
    base.close();
  }
}

/** Shares the kernel's lock with no mount; the lock's text, which tells of the last one, stays. */
function keepFromMounts(diffPath: string, libc: Libc): () => void {
  let fd;
  try {
    fd = openDiffFile(libc, byteStringOf(pathsIn(diffPath).lock), OPEN.readOnly);
  } catch (error) {
    if (errnoOf(error) === ERRNO.ENOENT) return () => {};
    throw error;
  }
  if (!libc.flock(fd, FLOCK.exclusive | FLOCK.nonBlocking)) {
    libc.close(fd);
    throw new PbkfsError("DiffInUse", {
      what: `The diff "${diffPath}" is in use`,
      todo: "Unmount it first: what changes meanwhile cannot be checked.",
    });
  }
  return () => libc.close(fd);
}

function bindingOf(diffPath: string, findings: VerifyFinding[]): Binding | undefined {
  try {
    const binding = readBinding(diffPath);
    if (binding !== undefined) return binding;
  } catch (error) {
    if (!(error instanceof PbkfsError) || error.code !== "DiffDamaged") throw error;
    findings.push({ level: "damage", about: "binding", text: error.message });
    return undefined;
  }
  throw new PbkfsError("DiffMissing", {
    what: `There is no diff in "${diffPath}": it has no binding`,
    todo: "Give the directory that mount got with -d.",
  });
}

async function openBase(
  binding: Binding,
  { codecs, ...wanted }: VerifyOptions & Loaded,
  diffPath: string,
): Promise<Base> {
  const catalogPath = wanted.fromPath ?? wanted.catalogPath ?? binding.catalogPath;
  const backup = await findBackup(wanted, { catalogPath }, binding);
  checkBinding(binding, { ...backup.identity, kind: backup.kind }, diffPath);
  return await sourceOf(backup).open(backup, {
    libc: systemLibc(),
    codecs,
    layout: {
      mountPath: byteStringOf(binding.mountPath),
      restoredAt: binding.createdAt,
      settings: binding.settings,
      ...(binding.wal === "outside" && { walLink: byteStringOf(pathsIn(diffPath).wal) }),
    },
  });
}

/** Nobody is to be alarmed by them: a crash leaves some, and nothing names them. */
async function straysIn(
  diffPath: string,
  state: StoredState | undefined,
): Promise<VerifyFinding[]> {
  const found: VerifyFinding[] = [];
  const kept = await lostAndFound(diffPath);
  if (kept.count > 0) {
    const text =
      `${DIFF_NAMES.lostAndFound} has ${kept.count} files that nothing names, ${kept.sizeBytes} bytes`;
    found.push({ level: "note", about: "stray", text });
  }
  if (state === undefined) return found;
  const { strays } = unnamed({ dataDirectory: pathsIn(diffPath).data, state });
  if (strays.length === 0) return found;
  const text = `${strays.length} data files are named by nothing; the next mount moves them to ` +
    `${DIFF_NAMES.lostAndFound}: ${strays.slice(0, 5).join(", ")}${
      strays.length > 5 ? " and more" : ""
    }`;
  return [...found, { level: "note", about: "stray", text }];
}
