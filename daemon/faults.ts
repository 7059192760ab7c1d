/**
 * Faults on purpose, for tests only: see `ffi/faulty_libc.ts`.
 *
 * @module
 */

import { type FaultRule, parseFaults } from "../ffi/faulty_libc.ts";

/** The environment variable that holds a plan. It is for tests: nothing else may set it. */
export const FAULTS_VARIABLE = "PBKFS_FAULTS";

/**
 * The plan that the environment holds; usually none.
 *
 * @throws {PbkfsError} `Usage` if it cannot be read.
 */
export function faultsWanted(env: Pick<typeof Deno.env, "get"> = Deno.env): FaultRule[] {
  return parseFaults(env.get(FAULTS_VARIABLE) ?? "");
}
