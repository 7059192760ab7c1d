/**
 * Takes the diff of a mount that starts: others that want it are kept out, or waited for.
 *
 * @module
 */

import { besideStore, DIFF_NAMES, DiffDirectory } from "../binding/mod.ts";
import { PbkfsError } from "../errors.ts";
import type { Libc } from "../ffi/libc.ts";
import { readGeneration } from "../overlay/mod.ts";
import { explained } from "./detached.ts";
import type { MountRequest } from "./protocol.ts";
import type { Undo } from "./undo.ts";

const RETRY_MS = 100;

/** How to take a diff. */
export interface TakeOptions {
  readonly libc: Libc;
  readonly undo: Undo;
  /** Told whom the start waits for. */
  readonly onProgress: (text: string) => void;
  readonly signal: AbortSignal | undefined;
  /** The process that guards this one, if there is one. */
  readonly guardian: number | undefined;
}

/**
 * Locks the diff until the start is undone.
 *
 * @throws {PbkfsError} `DiffInUse` if another process does not let go of it in time; `DiffDamaged`
 * if it has lost its binding.
 */
export async function takeDiff(
  request: MountRequest,
  options: TakeOptions,
): Promise<{ readonly diff: DiffDirectory; readonly isNew: boolean }> {
  const diff = await openDiff(request, options);
  const isNew = diff.binding === undefined;
  try {
    if (isNew) mustBeNew(diff);
  } catch (error) {
    diff.release();
    throw error;
  }
  options.undo.attempt(() => isNew ? diff.abandon() : diff.release());
  return { diff, isNew };
}

/**
 * What lies in a directory without a binding is the rest of an attempt, and goes. But the metadata
 * of an attempt has one commit.
 *
 * @throws {PbkfsError} `DiffDamaged` if there were more.
 */
function mustBeNew(diff: DiffDirectory): void {
  if ((readGeneration(besideStore(diff.paths.store).generation) ?? 0) <= 1) return;
  throw new PbkfsError("DiffDamaged", {
    what:
      `The diff "${diff.path}" has lost its binding, "${DIFF_NAMES.binding}"; nothing was changed`,
    todo: `Restore the file from a copy; or empty the diff: pbkfs cleanup -d "${diff.path}"`,
  });
}

/** Waits for another process to let go of the diff only if a time was given. */
async function openDiff(request: MountRequest, options: TakeOptions): Promise<DiffDirectory> {
  const { force, waitMs } = request;
  const { libc, guardian } = options;
  const deadline = Date.now() + (waitMs ?? 0);
  for (let isTold = false;; isTold = true) {
    try {
      return DiffDirectory.open(request.diffPath, libc, { force, guardian });
    } catch (error) {
      if (!(error instanceof PbkfsError) || error.code !== "DiffInUse") throw error;
      const isLate = Date.now() >= deadline;
      const told = isLate || !isTold ? await explained(error, request.diffPath) : error;
      if (isLate) throw told;
      if (!isTold) options.onProgress(told.message);
    }
    options.signal?.throwIfAborted();
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}
