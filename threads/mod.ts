/**
 * Threads: how they are started, and the shared memory by which they work together.
 *
 * @module
 */

export { type Begun, serveThread, tell } from "./serve_thread.ts";
export {
  atomicRecord,
  type CellLayout,
  layoutOf,
  plainRecord,
  type SharedCells,
  type SharedRecord,
} from "./shared_record.ts";
export { Thread } from "./thread.ts";
