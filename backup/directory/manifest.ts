/**
 * `backup_manifest`: which files a base backup has. It is compared with what is there: names and
 * sizes. Contents are not read, since a mount reads nothing ahead of time: pg_verifybackup does that.
 *
 * @see https://www.postgresql.org/docs/current/backup-manifest-format.html
 * @module
 */

import { createHash } from "node:crypto";
import { PbkfsError } from "../../errors.ts";
import { TYPE } from "../../ffi/file_type.ts";
import { type Lsn, parseLsn } from "../tree/lsn.ts";
import { TABLESPACES_DIR } from "../tree/tablespaces_dir.ts";
import { isLeftOut, WAL_DIRECTORY } from "./left_out.ts";
import type { WalkedEntry } from "./walk.ts";

/** The file's name, and how long it may be: some five million files. */
export const MANIFEST = "backup_manifest";
export const MANIFEST_BYTES_MAX = 1 << 30;

/** What a manifest tells. */
export interface Manifest {
  /** Of the cluster; from PostgreSQL 17 on. */
  readonly systemIdentifier: string | undefined;
  /** Length of each file in bytes, by its path in the data directory. */
  readonly sizes: ReadonlyMap<string, number>;
  /** The WAL that recovery needs. */
  readonly walRanges: readonly { readonly start: Lsn; readonly end: Lsn }[];
}

/** pg_basebackup writes them itself, or changes them, when the manifest is complete. */
const NOT_COMPARED: readonly string[] = [MANIFEST, "postgresql.auto.conf"];
/** Of so many differences it is told which they are. */
const TOLD_MAX = 3;

/**
 * Reads a manifest.
 *
 * @throws {PbkfsError} `StoreDamaged` if it is none, or not the one that was written.
 */
export function parseManifest(bytes: Uint8Array): Manifest {
  const text = new TextDecoder().decode(bytes);
  try {
    const data = JSON.parse(text);
    mustBeWhole(bytes, data["Manifest-Checksum"]);
    return {
      // A number of 64 bits, which JSON.parse would round.
      systemIdentifier: /^"System-Identifier": (\d+)/m.exec(text)?.[1],
      sizes: new Map(data["Files"].map(sizeOf)),
      walRanges: data["WAL-Ranges"].map(rangeOf),
    };
  } catch (error) {
    throw contradiction(`"${MANIFEST}" cannot be read: ${(error as Error).message}`, error);
  }
}

/**
 * Compares the files of a directory with its manifest.
 *
 * @throws {PbkfsError} `StoreDamaged` naming what is missing, too much, or of another length.
 */
export function checkManifest({ sizes }: Manifest, entries: readonly WalkedEntry[]): void {
  const found = new Map(
    entries.filter(({ mode }) => (mode & TYPE.mask) === TYPE.file)
      .map(({ path, sizeBytes }) => [manifestPath(path), sizeBytes] as const),
  );
  const differences: string[] = [];
  for (const [path, sizeBytes] of sizes) {
    if (!isCompared(path)) continue;
    const has = found.get(path);
    if (has === undefined) differences.push(`"${path}" is missing`);
    else if (has !== sizeBytes) differences.push(`"${path}" has ${has} bytes, not ${sizeBytes}`);
  }
  for (const path of found.keys()) {
    if (isCompared(path) && !sizes.has(path)) differences.push(`"${path}" is not in it`);
  }
  if (differences.length === 0) return;
  const more = differences.length > TOLD_MAX ? `, and ${differences.length - TOLD_MAX} more` : "";
  throw contradiction(
    `The files are not those of "${MANIFEST}": ${differences.slice(0, TOLD_MAX).join(", ")}${more}`,
  );
}

/** The last line has the SHA-256 of all that is before it. */
function mustBeWhole(bytes: Uint8Array, checksum: unknown): void {
  const lastLineAt = bytes.lastIndexOf(0x0a, bytes.length - 2) + 1;
  const actual = createHash("sha256").update(bytes.subarray(0, lastLineAt)).digest("hex");
  if (actual !== checksum) throw new RangeError("its checksum is another one");
}

function sizeOf(file: Record<string, unknown>): readonly [string, number] {
  const { Path: path, "Encoded-Path": encoded, Size: size } = file;
  if (!Number.isSafeInteger(size)) throw new RangeError("a file has no size");
  if (typeof path === "string") return [path, size as number];
  if (typeof encoded !== "string") throw new RangeError("a file has no path");
  const bytes = encoded.match(/../g)?.map((digits) => Number.parseInt(digits, 16)) ?? [];
  return [new TextDecoder().decode(new Uint8Array(bytes)), size as number];
}

function rangeOf(range: Record<string, unknown>): { readonly start: Lsn; readonly end: Lsn } {
  const [start, end] = [parseLsn(`${range["Start-LSN"]}`), parseLsn(`${range["End-LSN"]}`)];
  if (start !== undefined && end !== undefined && start <= end) return { start, end };
  throw new RangeError("a range of WAL has no bounds");
}

/** WAL is looked for by who needs it: it may lie elsewhere, and need not be in the manifest. */
function isCompared(path: string): boolean {
  return !NOT_COMPARED.includes(path) && !isLeftOut(path) && !path.startsWith(`${WAL_DIRECTORY}/`);
}

/** Tablespaces have a place of their own in the tree. */
function manifestPath(treePath: string): string {
  const prefix = `${TABLESPACES_DIR}/`;
  return treePath.startsWith(prefix) ? `pg_tblspc/${treePath.slice(prefix.length)}` : treePath;
}

function contradiction(what: string, cause?: unknown): PbkfsError {
  return new PbkfsError("StoreDamaged", {
    what,
    todo: "Run pg_verifybackup on the directory; mount a copy that is as it was made.",
    cause,
  });
}
