/**
 * The commands, in the order in which help lists them.
 *
 * @module
 */

import type { CommandSpec } from "./command.ts";
import { CLEANUP } from "./cleanup.ts";
import { LOGS } from "./logs.ts";
import { completionCommand } from "./completion.ts";
import { DOCTOR } from "./doctor.ts";
import { manCommand } from "./man.ts";
import { MOUNT } from "./mount.ts";
import { SHOW } from "./show.ts";
import { STATUS } from "./status.ts";
import { UNMOUNT } from "./unmount.ts";
import { VERIFY } from "./verify.ts";

/** All commands that people may use. */
export const COMMANDS: readonly CommandSpec[] = [
  ...[MOUNT, UNMOUNT, SHOW, STATUS, LOGS, CLEANUP, VERIFY, DOCTOR],
  ...[completionCommand(() => COMMANDS), manCommand(() => COMMANDS)],
];
