/**
 * The name of the directory inside a tree that holds its tablespaces.
 *
 * @module
 */

import type { ByteString } from "../../ffi/bytes.ts";

/** The directory that holds one for each tablespace, by oid; `pg_tblspc` links there. */
export const TABLESPACES_DIR = "pbkfs_tablespaces" as ByteString;
