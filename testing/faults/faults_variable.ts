/**
 * How a plan of faults reaches the daemon of a mount, and its threads.
 *
 * @module
 */

/** The environment variable that holds a plan, for `faulty_cli.ts`. */
export const FAULTS_VARIABLE = "PBKFS_FAULTS";
