/**
 * How many files the pools of a mount may keep open.
 *
 * @module
 */

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
/** What the program itself has open, and connections to its socket. */
const OWN = 64;
/** What a thread has open, and a read that it does. */
const OF_A_THREAD = 8;

/**
 * Shares out descriptors. What the pools do not get is for syncs and reads under way.
 *
 * @param granted As by `ulimit -n`.
 * @param readThreads How many threads read.
 */
export function descriptorBudget(granted: number, readThreads: number): DescriptorBudget {
  const share = Math.floor((granted - OWN - OF_A_THREAD * readThreads) * 0.4);
  return {
    storedFiles: Math.max(FILES_MIN, Math.min(STORED_FILES_MAX, share)),
    dataFiles: Math.max(FILES_MIN, Math.min(DATA_FILES_MAX, share)),
  };
}
