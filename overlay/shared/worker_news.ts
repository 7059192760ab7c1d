/**
 * The messages that read workers and the commit thread send to the dispatcher while they work.
 *
 * @module
 */

import type { ErrorData } from "../../errors.ts";
import type { Request } from "../../fuse/mod.ts";

/** Something went wrong, or, only when tracing, a request was answered. */
export type WorkerNews =
  | { readonly problem: { readonly what: string; readonly error: ErrorData } }
  | { readonly replied: Reply };

/** How a request was answered. */
export interface Reply {
  readonly request: Request;
  readonly errno: number;
  /** Of what was read. */
  readonly sizeBytes?: number;
}

/** How a worker counts and tells. */
export interface WorkerReporting {
  /** Where to count how long requests waited: memory of `Latencies`. */
  readonly latencies?: SharedArrayBuffer;
  /** Tell of each reply. */
  readonly tracing?: boolean;
}
