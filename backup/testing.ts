/**
 * What tests and measurements outside this folder need of it beyond `mod.ts`, to make stores.
 *
 * @module
 */

export { encodePglz } from "./_pglz_encoder.ts";
export { backupIdOf, formatTime } from "./pg_probackup/catalog/control_time.ts";
export { crc32c } from "./tree/crc32c.ts";
