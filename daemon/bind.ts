/**
 * Binding a diff to its backup: checked for a known diff, laid down for a new one.
 *
 * @module
 */

import { backupIdOf, type BackupRef, copyWal, type Learnt, sourceOf } from "../backup/mod.ts";
import { type Binding, BINDING_VERSION, checkBinding, type DiffDirectory } from "../binding/mod.ts";
import { PbkfsError } from "../errors.ts";
import { SqliteStore } from "../overlay/mod.ts";
import { cloneSettings } from "../postgres/mod.ts";
import type { MountRequest } from "./protocol.ts";
import { VERSION } from "./version.ts";

/**
 * Checks that a diff is of the backup that is to be mounted, and the way it is to be mounted.
 *
 * @throws {PbkfsError} `DiffForeign` with both values.
 */
export function checkRequest(
  binding: Binding,
  request: Pick<MountRequest, "backup" | "diffPath" | "wal">,
): void {
  const { backup, diffPath, wal = binding.wal } = request;
  checkBinding(binding, { ...backup.identity, kind: backup.kind }, diffPath);
  if (wal === binding.wal) return;
  throw new PbkfsError("DiffForeign", {
    what: `The diff "${diffPath}" has pg_wal ${binding.wal} the mount, not ${wal}`,
    todo: "Leave --wal out, or choose an empty diff directory.",
  });
}

/** A binding, and what had to be read to make it. */
export interface Bound {
  readonly binding: Binding;
  /** Undefined for a known diff, for which nothing was read. */
  readonly learnt: Learnt | undefined;
}

/** The binding of a diff; a new diff is begun and gets one. */
export async function bind(diff: DiffDirectory, request: MountRequest): Promise<Bound> {
  const { backup, mountPath } = request;
  if (diff.binding !== undefined) {
    const { catalogPath } = backup.identity;
    const binding = { ...diff.binding, mountPath, catalogPath, lastOwner: diff.owner };
    return { binding, learnt: undefined };
  }
  const createdAt = Math.floor(Date.now() / 1000) * 1000;
  const { serverVersion } = backup;
  const settings = cloneSettings(parseInt(serverVersion));
  const look = await sourceOf(backup).look(backup);
  const owner = ownerOfTree(look.owner);
  diff.begin(owner, look.walMode);
  await copyWal(look.wal, diff.paths.newWal, owner);
  // Before the binding, which tells that it is there: what is missing later, is lost.
  const store = new SqliteStore(diff.paths.store);
  store.close();
  const binding: Binding = {
    version: BINDING_VERSION,
    ...identityOf(backup),
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
  return { binding, learnt: look.learnt };
}

function identityOf(backup: BackupRef) {
  const { catalogPath, instance, systemIdentifier, members } = backup.identity;
  return {
    ...{ kind: backup.kind, catalogPath, instance, backupId: backupIdOf(backup) },
    chain: members,
    ...(systemIdentifier !== undefined && { systemIdentifier }),
  };
}

/** Who mounts, or, when root mounts, who owns the backup: that user can start the server. */
function ownerOfTree(backup: { uid: number; gid: number }): { uid: number; gid: number } {
  const uid = Deno.uid() ?? 0;
  return uid === 0 ? backup : { uid, gid: Deno.gid() ?? 0 };
}
