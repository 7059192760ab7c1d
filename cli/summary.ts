/**
 * @module
 */

/** What the program is, in one line. */
export const SUMMARY = "turn a pg_probackup backup into a live, writable PostgreSQL data directory";
