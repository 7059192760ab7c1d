/**
 * The command line: finds the command, runs it, and turns errors into a message and a status.
 *
 * @module
 */

import { CommanderError } from "commander";
import { DAEMON_COMMAND, runDaemon } from "../daemon/mod.ts";
import { CODES, toPbkfsError } from "../errors.ts";
import { COMMANDS } from "./commands.ts";
import { say, sayLines, stacksOf } from "./output.ts";
import { makeProgram } from "./program.ts";

/** Runs one command. @returns The exit status. */
export async function main(args: readonly string[]): Promise<number> {
  if (args[0] === DAEMON_COMMAND) return await runDaemon(args.slice(1));
  let status = 0;
  const program = makeProgram((ended) => status = ended);
  try {
    await program.parseAsync(meant(args), { from: "user" });
    return status;
  } catch (error) {
    if (error instanceof CommanderError) {
      return error.exitCode === 0 ? 0 : CODES.Usage.exitCode;
    }
    const known = toPbkfsError(error);
    say(`pbkfs: ${known.message}`);
    if (known.todo !== "") say(`  ${known.todo}`);
    if (args.includes("--debug")) sayLines(stacksOf(error));
    return known.exitCode;
  }
}

/** `help NAME` of a command that there is not is as wrong as the command itself. */
function meant(args: readonly string[]): string[] {
  const [first, name] = args;
  if (first !== "help" || name === undefined || name.startsWith("-")) return [...args];
  return COMMANDS.some((command) => command.name === name) ? [...args] : [name];
}
