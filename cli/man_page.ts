/**
 * The manual page, made from the table of commands and from that of errors.
 *
 * @module
 * @see man(7) for the macros
 */

import { pathsIn, VERSION } from "../operate/mod.ts";
import { CODES, DECADES } from "../errors.ts";
import type { CommandSpec, OptionSpec } from "./command.ts";
import { COMMON } from "./options.ts";
import { SUMMARY } from "./summary.ts";

/** What the environment can say, and what for. */
const ENVIRONMENT: Readonly<Record<string, string>> = {
  NO_COLOR: "if set, nothing is colored",
  PBKFS_FUSE_DEVICE: "instead of /dev/fuse",
  PBKFS_WITHOUT: "names of fast paths that a mount is to do without, see ARCHITECTURE.md",
  PBKFS_LIBFUSE: "the file of libfuse3, if the loader does not find it",
  PBKFS_PGBIN_15: "the directory of PostgreSQL's programs, for each major version",
};

/** The page, as roff. */
export function manPage(commands: readonly CommandSpec[]): string {
  return [
    `.TH PBKFS 1 "" "pbkfs ${VERSION}" "User Commands"`,
    ".SH NAME",
    `pbkfs \\- ${escaped(SUMMARY)}`,
    ".SH SYNOPSIS",
    ".B pbkfs",
    "\\fICOMMAND\\fR [\\fIOPTION\\fR]...",
    ".SH DESCRIPTION",
    escaped(
      "pbkfs shows a backup of a pg_probackup catalog as a PostgreSQL data directory. Nothing is " +
        "restored: pages are read from the chain of backups when they are asked for. What is " +
        "written goes to a directory of its own, the diff, so the catalog stays as it is.",
    ),
    ".SH COMMANDS",
    ...commands.flatMap(commandSection),
    ".SH OPTIONS OF ALL COMMANDS",
    ...COMMON.flatMap(optionLines),
    ...optionLines({ short: "-V", long: "--version", text: "print the version" }),
    ".SH EXIT STATUS",
    ".TP",
    ".B 0",
    "done",
    ...exitLines(),
    ".SH ENVIRONMENT",
    ...Object.entries(ENVIRONMENT).flatMap(([name, text]) => [".TP", `.B ${name}`, escaped(text)]),
    ".SH FILES",
    ...filesLines(),
    ".SH SEE ALSO",
    ".BR pg_ctl (1),",
    ".BR fusermount3 (1)",
  ].join("\n") + "\n";
}

function commandSection(command: CommandSpec): string[] {
  const { name, argument, summary, description, options, examples } = command;
  return [
    `.SS "pbkfs ${name}${argument === undefined ? "" : ` ${argument.name.toUpperCase()}`}"`,
    `${escaped(capital(summary))}.`,
    ...(argument === undefined
      ? []
      : [".PP", escaped(`${argument.name.toUpperCase()} is ${argument.choices.join(", ")}.`)]),
    ...description.flatMap((paragraph) => [".PP", escaped(paragraph)]),
    ...options.flatMap(optionLines),
    ".PP",
    examples.length === 1 ? "Example:" : "Examples:",
    ".PP",
    ".nf",
    ".RS",
    ...examples.map(escaped),
    ".RE",
    ".fi",
  ];
}

function optionLines({ short, long, value, isRequired, text }: OptionSpec): string[] {
  const names = [short, long].filter((name) => name !== undefined)
    .map((name) => `\\fB${escaped(name)}\\fR`).join(", ");
  const shown = value === undefined
    ? ""
    : value.bare === undefined
    ? ` \\fI${escaped(value.name)}\\fR`
    : ` [\\fI${escaped(value.name)}\\fR]`;
  const notes = [
    ...(isRequired === true ? ["must be given"] : []),
    ...(value?.choices === undefined ? [] : [`one of ${value.choices.join(", ")}`]),
    ...(value?.default === undefined ? [] : [`default: ${value.default}`]),
  ];
  return [".TP", `${names}${shown}`, escaped([text, ...notes].join("; "))];
}

function exitLines(): string[] {
  return DECADES.flatMap(({ tens, title }) => [
    ...Object.entries(CODES).filter(([, { exitCode }]) => Math.floor(exitCode / 10) * 10 === tens)
      .flatMap(([name, { exitCode, when }]) => [
        ".TP",
        `.B ${exitCode}`,
        escaped(`${title}: ${when} (${name})`),
      ]),
  ]);
}

function filesLines(): string[] {
  const diff = pathsIn("DIFF");
  const files = {
    [diff.binding]: "which backup the diff belongs to",
    [diff.log]: "the log of the mount, unless --log-sink says otherwise",
    [diff.socket]: "where the process behind the mount listens",
    "/etc/fuse.conf": "with user_allow_other in it, others may enter mounts of ordinary users",
  };
  return Object.entries(files).flatMap(([name, text]) => [
    ".TP",
    `.I ${escaped(name)}`,
    escaped(text),
  ]);
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

/** A dot or a quote at the start of a line would be a macro, a hyphen would become a dash. */
function escaped(text: string): string {
  return text.replaceAll("\\", "\\e").replaceAll("-", "\\-").replace(/^([.'])/, "\\&$1");
}
