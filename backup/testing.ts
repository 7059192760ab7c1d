/**
 * What tests and measurements outside this folder need of it beyond `mod.ts`, to make stores.
 *
 * @module
 */

export { encodePglz } from "./_pglz_encoder.ts";
export { backupIdOf, formatTime } from "./control_time.ts";
export { crc32c } from "./crc32c.ts";
