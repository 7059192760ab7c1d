/**
 * Serves any {@link FileSystem} through libfuse3's low-level API.
 *
 * @module
 */

export * from "./file_system.ts";
export { type ConnectionSettings, DEFAULT_SETTINGS } from "./connection.ts";
export {
  clockMs,
  Latencies,
  type LatencySummary,
  REQUEST_KINDS,
  type RequestKind,
} from "./latencies.ts";
export { replyBytes, replyError } from "./reply.ts";
export { Session, type SessionErrands, type SessionOptions } from "./session.ts";
export { outcomeText, type TraceSink } from "./trace.ts";
export { Waiting } from "./waiting.ts";
