/**
 * The parser, made from the table of commands.
 *
 * @module
 */

import { Argument, Command, Option } from "commander";
import { VERSION } from "../operate/mod.ts";
import { PbkfsError } from "../errors.ts";
import type { CommandSpec, Flags, OptionSpec } from "./command.ts";
import { COMMANDS } from "./commands.ts";
import { exitStatusHelp } from "./exit_status.ts";
import { COMMON } from "./options.ts";
import { printLines, sayLines } from "./output.ts";
import { SUMMARY } from "./summary.ts";

/**
 * A parser of the whole command line.
 *
 * @param ended Told the exit status of the command that ran.
 */
export function makeProgram(ended: (status: number) => void): Command {
  const program = new Command("pbkfs").description(SUMMARY).version(VERSION);
  for (const option of COMMON) addOption(program, option);
  program.addHelpText("after", `\n${exitStatusHelp()}`);
  const commands = COMMANDS.map((spec) => makeCommand(spec, ended));
  for (const command of commands) program.addCommand(command);
  for (const command of [program, ...commands]) {
    command.exitOverride().configureOutput({
      writeOut: (text) => printLines(text.trimEnd()),
      writeErr: (text) => sayLines(text.trimEnd().replace(/^error: /, "pbkfs: ")),
    }).showHelpAfterError(`  Show what there is: ${helpOf(command, program)}`);
  }
  return program;
}

function makeCommand(spec: CommandSpec, ended: (status: number) => void): Command {
  const command = new Command(spec.name).description(spec.summary);
  const { argument } = spec;
  if (argument !== undefined) {
    command.addArgument(new Argument(`<${argument.name}>`).choices(argument.choices));
  }
  for (const option of [...spec.options, ...COMMON]) addOption(command, option);
  const examples = spec.examples.map((line) => `  ${line}\n`).join("");
  command.addHelpText("after", `\nExample:\n${examples}\n${exitStatusHelp(spec.codes)}`);
  command.action(async (...given: unknown[]) => {
    const name = argument === undefined ? "" : String(given[0]);
    const flags = given[argument === undefined ? 0 : 1] as Flags;
    ended(await spec.run(flags, name) ?? 0);
  });
  return command;
}

function helpOf(command: Command, program: Command): string {
  return command === program ? "pbkfs --help" : `pbkfs ${command.name()} --help`;
}

function addOption(command: Command, spec: OptionSpec): void {
  const { short, long, value, text } = spec;
  if (long === "--help") {
    command.helpOption(`${short}, ${long}`, text);
    return;
  }
  const shown = value === undefined
    ? ""
    : value.bare === undefined
    ? ` <${value.name}>`
    : ` [${value.name}]`;
  const option = new Option(`${short === undefined ? "" : `${short}, `}${long}${shown}`, text);
  if (value?.choices !== undefined) option.choices(value.choices);
  if (value?.default !== undefined) option.default(value.default);
  if (value?.bare !== undefined) option.preset(value.bare);
  if (value?.kind === "seconds") option.argParser((given) => secondsOf(given, long));
  if (value?.kind === "count") option.argParser((given) => countOf(given, long));
  if (spec.isRequired === true) option.makeOptionMandatory();
  command.addOption(option);
}

function secondsOf(given: string, long: string): number {
  const seconds = Number(given);
  if (given.trim() !== "" && seconds >= 0 && Number.isFinite(seconds)) return seconds;
  throw new PbkfsError("Usage", {
    what: `${long} is "${given}", expected seconds`,
    todo: `Give a number that is not negative, such as ${long} 10.`,
  });
}

function countOf(given: string, long: string): number {
  if (/^\d{1,9}$/.test(given)) return Number(given);
  throw new PbkfsError("Usage", {
    what: `${long} is "${given}", expected a whole number`,
    todo: `Give a number that is not negative, such as ${long} 10.`,
  });
}
