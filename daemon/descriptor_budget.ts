/**
 * The budget of file descriptors of a mount: how many it may keep open, and what for.
 *
 * @module
 */

import { ERRNO, PbkfsError } from "../errors.ts";
import { METRICS_CONNECTIONS_MAX } from "../observe/mod.ts";
import { CONTROL_CONNECTIONS_MAX } from "./control_socket.ts";

/** Of what the system grants a process, the parts of the two pools. */
export interface DescriptorBudget {
  /** Files of the store. */
  readonly storedFiles: number;
  /** Data files of the diff. */
  readonly dataFiles: number;
}

const STORED_FILES_MAX = 256;
const DATA_FILES_MAX = 512;
const FILES_MIN = 8;
/** What the program itself has open: the runtime, the dispatcher, the committer, the log. */
const OWN = 56;
/** Whoever connects has these, and no others; with them the two listeners. */
const CONNECTIONS = CONTROL_CONNECTIONS_MAX + METRICS_CONNECTIONS_MAX + 2;
/** What a thread has open, and a read that it does. */
const OF_A_THREAD = 8;
/** For syncs under way, at the least. */
const REST_MIN = 16;

/**
 * Shares out descriptors. What the pools do not get is for syncs and reads under way.
 *
 * @param granted As by `ulimit -n`.
 * @param readThreads How many threads read.
 */
export function descriptorBudget(granted: number, readThreads: number): DescriptorBudget {
  const share = Math.floor((granted - reserved(readThreads)) * 0.4);
  return {
    storedFiles: Math.max(FILES_MIN, Math.min(STORED_FILES_MAX, share)),
    dataFiles: Math.max(FILES_MIN, Math.min(DATA_FILES_MAX, share)),
  };
}

/** @throws {PbkfsError} `LimitTooLow` if no mount can work with what is granted. */
export function checkDescriptors(granted: number, readThreads: number): void {
  const needed = reserved(readThreads) + 2 * FILES_MIN + REST_MIN;
  if (granted >= needed) return;
  throw new PbkfsError("LimitTooLow", {
    what: `A process may have ${granted} files open here, but a mount needs at least ${needed}`,
    todo: "Raise the limit, as with: ulimit -n 1024",
    errno: ERRNO.EMFILE,
  });
}

function reserved(readThreads: number): number {
  return OWN + CONNECTIONS + OF_A_THREAD * readThreads;
}
