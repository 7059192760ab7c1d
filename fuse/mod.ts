/**
 * Serves any {@link FileSystem} through libfuse3's low-level API.
 *
 * @module
 */

export * from "./file_system.ts";
export { type ConnectionSettings, DEFAULT_SETTINGS } from "./connection.ts";
export { replyError } from "./reply.ts";
export { Session, type SessionOptions } from "./session.ts";
