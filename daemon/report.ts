/**
 * Tells of errors, from a thread that has no log.
 *
 * @module
 */

import { toPbkfsError } from "../errors.ts";
import { tell } from "../threads/mod.ts";
import type { DispatcherNews } from "./protocol.ts";

/** Has the log of the mount tell of an error. */
export function report(operation: string, error: unknown): void {
  tell<DispatcherNews>({ problem: { what: operation, error: toPbkfsError(error).toJSON() } });
}
