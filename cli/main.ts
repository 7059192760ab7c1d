/**
 * The command line: finds the command, runs it, and turns errors into a message and a status.
 *
 * @module
 */

import { Command, CommanderError } from "commander";
import { DAEMON_COMMAND, runDaemon, VERSION } from "../daemon/mod.ts";
import { CODES, toPbkfsError } from "../errors.ts";
import { mountCommand } from "./mount.ts";
import { print, say } from "./output.ts";
import { statusCommand } from "./status.ts";
import { unmountCommand } from "./unmount.ts";

/** Runs one command. @returns The exit status. */
export async function main(args: readonly string[]): Promise<number> {
  if (args[0] === DAEMON_COMMAND) return await runDaemon();
  const program = makeProgram();
  try {
    await program.parseAsync([...args], { from: "user" });
    return Deno.exitCode;
  } catch (error) {
    if (error instanceof CommanderError) {
      return error.exitCode === 0 ? 0 : CODES.Usage.exitCode;
    }
    const known = toPbkfsError(error);
    say(`pbkfs: ${known.message}`);
    if (known.todo !== "") say(`  ${known.todo}`);
    if (args.includes("--debug") && error instanceof Error) say(error.stack ?? "");
    return known.exitCode;
  }
}

function makeProgram(): Command {
  const program = new Command("pbkfs")
    .description("Turns a pg_probackup backup into a live, writable PostgreSQL data directory.")
    .version(VERSION)
    .option("--debug", "show where an error came from")
    .addHelpText("after", exitStatusHelp());
  const commands = [mountCommand(), unmountCommand(), statusCommand()];
  for (const command of commands) {
    command.option("--debug", "show where an error came from");
    command.addHelpText("after", exitStatusHelp());
    program.addCommand(command);
  }
  for (const command of [program, ...commands]) {
    command.exitOverride().configureOutput({
      writeOut: (text) => print(text.trimEnd()),
      writeErr: (text) => say(text.trimEnd()),
    });
  }
  return program;
}

function exitStatusHelp(): string {
  return `
Exit status:
  0 success; 2 usage; 10 to 14 not found; 20 to 26 backup refused; 30 to 33 diff refused;
  40 to 43 busy; 50 to 54 this machine; 60 PostgreSQL; 70, 71 internal. See README.`;
}
