/**
 * Which backup a diff belongs to: checked for a known diff, laid down for a new one.
 *
 * @module
 */

import {
  type ChainSpec,
  destOf,
  type FileListsData,
  ownerOf,
  PlainFiles,
  readFileLists,
} from "../backup/mod.ts";
import { type Binding, BINDING_VERSION, checkBinding, type DiffDirectory } from "../binding/mod.ts";
import { PbkfsError } from "../errors.ts";
import { SqliteStore } from "../overlay/mod.ts";
import { cloneSettings } from "../postgres/mod.ts";
import { fillWal } from "./fill_wal.ts";
import type { MountRequest } from "./protocol.ts";
import { VERSION } from "./version.ts";

/**
 * Checks that a diff is of the backup that is to be mounted, and the way it is to be mounted.
 *
 * @throws {PbkfsError} `DiffForeign` with both values.
 */
export function checkRequest(
  binding: Binding,
  request: Pick<MountRequest, "spec" | "diffPath" | "wal">,
): void {
  const { spec, diffPath, wal = binding.wal } = request;
  checkBinding(binding, spec, diffPath);
  if (wal === binding.wal) return;
  throw new PbkfsError("DiffForeign", {
    what: `The diff "${diffPath}" has pg_wal ${binding.wal} the mount, not ${wal}`,
    todo: "Leave --wal out, or choose an empty diff directory.",
  });
}

/** A binding, and what had to be read to make it. */
export interface Bound {
  readonly binding: Binding;
  /** The chain's; undefined for a known diff, which needs none of it. */
  readonly lists: FileListsData | undefined;
}

/** The binding of a diff; a new diff is begun and gets one. */
export async function bind(diff: DiffDirectory, request: MountRequest): Promise<Bound> {
  const { spec, mountPath } = request;
  if (diff.binding !== undefined) {
    const { catalogPath } = spec;
    const binding = { ...diff.binding, mountPath, catalogPath, lastOwner: diff.owner };
    return { binding, lists: undefined };
  }
  const createdAt = Math.floor(Date.now() / 1000) * 1000;
  const { serverVersion } = destOf(spec);
  const settings = cloneSettings(parseInt(serverVersion));
  const lists = readFileLists(spec);
  const files = PlainFiles.open(spec, lists);
  try {
    const owner = ownerOfTree(ownerOf(spec));
    diff.begin(owner, files.walMode);
    await fillWal({ spec, walFiles: files.walFiles(), diff, owner });
    // Before the binding, which tells that it is there: what is missing later, is lost.
    const store = new SqliteStore(diff.storePath);
    store.close();
    const binding: Binding = {
      version: BINDING_VERSION,
      ...identityOf(spec),
      serverVersion,
      mountPath,
      wal: request.wal ?? "outside",
      createdAt,
      owner,
      settings,
      madeBy: `pbkfs ${VERSION}`,
      lastOwner: diff.owner,
      metadata: { generation: store.generation },
    };
    diff.finish(binding);
    return { binding, lists: lists.data };
  } finally {
    files.close();
  }
}

function identityOf(spec: ChainSpec) {
  return {
    catalogPath: spec.catalogPath,
    instance: spec.instance,
    backupId: destOf(spec).id,
    chain: spec.members.map(({ id, contentCrc }) => ({
      id,
      ...(contentCrc !== undefined && { contentCrc }),
    })),
    ...(spec.systemIdentifier !== undefined && { systemIdentifier: spec.systemIdentifier }),
  };
}

/** Who mounts, or, when root mounts, who owns the backup: that user can start the server. */
function ownerOfTree(backup: { uid: number; gid: number }): { uid: number; gid: number } {
  const uid = Deno.uid() ?? 0;
  return uid === 0 ? backup : { uid, gid: Deno.gid() ?? 0 };
}
