/**
 * PostgreSQL's block size.
 *
 * @module
 */

/** Of a block, and of the page that fills it: what PostgreSQL is built with unless told otherwise. */
export const BLOCK_SIZE_BYTES = 8192;
