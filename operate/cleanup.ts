/**
 * Empties a diff directory, so that it can be used for another backup.
 *
 * @module
 */

import {
  type Binding,
  DiffLock,
  type DiffPart,
  readBinding,
  readContents,
  removeContents,
} from "../binding/mod.ts";
import { listMounts, removeMade } from "../daemon/mod.ts";
import { isDenied, PbkfsError } from "../errors.ts";
import { systemLibc } from "../ffi/libc.ts";
import { absolute, realPath } from "../ffi/real_path.ts";
import { mountsOfDiff } from "./find_mount.ts";

/** What a cleanup would remove. */
export interface CleanupPlan {
  /** Without symbolic links. */
  readonly diffPath: string;
  /** Empty if there is nothing to remove. */
  readonly parts: readonly DiffPart[];
  readonly sizeBytes: number;
  /** Which backup the diff belongs to, if that can be told. */
  readonly binding?: Binding;
}

/**
 * Looks at a diff; nothing is changed.
 *
 * @throws {PbkfsError} `DiffMissing`; `DiffForeign` if it is no diff, or something else is in it;
 * `DiffInUse` if it is mounted, or something is mounted in it.
 */
export function planCleanup(path: string): CleanupPlan {
  const diffPath = realDirectory(path);
  const { ours, foreign, isDiff } = readContents(diffPath);
  const [stranger] = foreign;
  if (stranger !== undefined || (!isDiff && ours.length > 0)) {
    const name = stranger ?? ours[0]?.name;
    throw new PbkfsError("DiffForeign", {
      what: isDiff
        ? `The diff "${path}" holds "${name}", which is not from pbkfs`
        : `"${path}" is not a pbkfs diff: it holds "${name}", but neither binding nor lock`,
      todo: "Nothing was removed. Move what is yours elsewhere, or give another directory.",
    });
  }
  mustNotBeMounted(diffPath);
  const binding = bindingIfAny(diffPath);
  return {
    diffPath,
    parts: ours,
    sizeBytes: ours.reduce((sum, part) => sum + part.sizeBytes, 0),
    ...(binding !== undefined && { binding }),
  };
}

/**
 * Removes what a diff holds. Links in it are removed, not followed; the directory stays.
 *
 * @throws {PbkfsError} As {@link planCleanup}; `DiffInUse` if somebody mounts it now.
 */
export function cleanup(path: string, options: { readonly force?: boolean } = {}): CleanupPlan {
  const plan = planCleanup(path);
  if (plan.parts.length === 0) return plan;
  const lock = DiffLock.take(plan.diffPath, systemLibc(), options);
  let isEmpty = false;
  try {
    // Once more: who had the lock until now may have mounted it.
    mustNotBeMounted(plan.diffPath);
    const { diffPath } = plan;
    removeMade({ diffPath, uid: Deno.statSync(diffPath).uid });
    removeContents(plan.diffPath);
    isEmpty = true;
  } finally {
    if (isEmpty) lock.remove();
    else lock.release();
  }
  return plan;
}

/** A diff's path without links. @throws {PbkfsError} `DiffMissing` */
export function realDirectory(path: string): string {
  try {
    const real = realPath(path);
    if (Deno.statSync(real).isDirectory) return real;
    throw new Deno.errors.NotADirectory("it is not a directory");
  } catch (error) {
    if (error instanceof PbkfsError && error.code === "PermissionDenied") throw error;
    const denied = isDenied(error);
    throw new PbkfsError(denied ? "PermissionDenied" : "DiffMissing", {
      what: denied
        ? `The diff "${absolute(path)}" cannot be reached: ${(error as Error).message}`
        : `There is no diff "${absolute(path)}": ${(error as Error).message}`,
      todo: denied
        ? "Do it as the user who mounted it, or as root."
        : "Give the directory that mount got with -d.",
      cause: error,
    });
  }
}

/** A mount whose process died counts, too; so does what others have mounted inside. */
export function mustNotBeMounted(diffPath: string): void {
  const [mount] = mountsOfDiff(diffPath);
  if (mount !== undefined) {
    throw new PbkfsError("DiffInUse", {
      what: `The diff "${diffPath}" is mounted on "${mount.mountPath}"`,
      todo: `Unmount it first: pbkfs unmount -D "${mount.mountPath}"`,
    });
  }
  const inside = listMounts().find(({ mountPath }) => mountPath.startsWith(`${diffPath}/`));
  if (inside === undefined) return;
  throw new PbkfsError("DiffInUse", {
    what: `Something is mounted inside the diff, on "${inside.mountPath}"`,
    todo: "Unmount it first; nothing was removed.",
  });
}

/** What cannot be read does not keep a diff from being removed. */
function bindingIfAny(path: string): Binding | undefined {
  try {
    return readBinding(path);
  } catch {
    return undefined;
  }
}
