/**
 * Completion scripts, made from the table of commands. They are complete in themselves: to ask the
 * program at each key would take too long. What they offer besides is found in directories and in
 * the kernel's list of mounts.
 *
 * @module
 */

import { BASH_OFFERS, FISH_OFFERS, ZSH_OFFERS } from "./completion_offers.ts";
import type { CommandSpec, OptionSpec } from "./command.ts";
import { COMMON } from "./options.ts";

const allOptions = (command: CommandSpec): OptionSpec[] => [...command.options, ...COMMON];
const names = ({ short, long }: OptionSpec): string[] =>
  short === undefined ? [long] : [short, long];

/** For bash. */
export function bashScript(commands: readonly CommandSpec[]): string {
  const cases = commands.map((command) => {
    const options = allOptions(command);
    const values = options.flatMap((option) => bashValue(option));
    const words = [...command.argument?.choices ?? [], ...options.flatMap(names)];
    return `    ${command.name})
      case $previous in
${values.join("\n")}
      esac
      _pbkfs_offer -W "${words.join(" ")}" ;;`;
  });
  return `# bash completion for pbkfs
${BASH_OFFERS}
_pbkfs() {
  local word=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]}
  COMPREPLY=()
  # --option=value is three words.
  if [ "$word" = = ]; then word=; fi
  if [ "$previous" = = ]; then previous=\${COMP_WORDS[COMP_CWORD - 2]}; fi
  word=$(_pbkfs_plain "$word")
  if [ "$COMP_CWORD" = 1 ]; then
    _pbkfs_offer -W "${commands.map(({ name }) => name).join(" ")} help --help --version"
    return
  fi
  case \${COMP_WORDS[1]} in
    help) _pbkfs_offer -W "${commands.map(({ name }) => name).join(" ")}" ;;
${cases.join("\n")}
  esac
}
complete -o filenames -F _pbkfs pbkfs
`;
}

function bashValue(option: OptionSpec): string[] {
  if (option.value === undefined || option.value.bare !== undefined) return [];
  const { kind, choices, offers } = option.value;
  const words = choices !== undefined ? `-W "${choices.join(" ")}"` : {
    directory: "-d",
    file: "-f",
    text: '-W ""',
    seconds: '-W ""',
    count: '-W ""',
  }[kind];
  const more = offers === undefined ? "" : `_pbkfs_${offers}; `;
  return [`        ${names(option).join(" | ")}) ${more}_pbkfs_offer ${words}; return ;;`];
}

/** For zsh. */
export function zshScript(commands: readonly CommandSpec[]): string {
  const list = commands.map(({ name, summary }) => `    ${quoted(`${name}:${summary}`)}`);
  const cases = commands.map((command) => {
    const choices = command.argument?.choices.join(" ");
    const rest = choices === undefined ? [] : [`'1:${command.argument?.name}:(${choices})'`];
    const specs = [...rest, ...allOptions(command).flatMap(zshOption)];
    return `    ${command.name}) _arguments ${specs.join(" \\\n      ")} ;;`;
  });
  return `#compdef pbkfs
${ZSH_OFFERS}
_pbkfs() {
  local -a commands=(
${list.join("\n")}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command=$words[2]
  local -A opt_args
  shift words
  (( CURRENT-- ))
  case $command in
${cases.join("\n")}
  esac
}
_pbkfs "$@"
`;
}

function zshOption(option: OptionSpec): string[] {
  const text = option.text.replaceAll(/[[\]:]/g, "\\$&");
  return names(option).map((name) => quoted(`${name}[${text}]${zshValue(option)}`));
}

function zshValue({ value }: OptionSpec): string {
  if (value === undefined) return "";
  const { kind, choices, bare, offers } = value;
  const action = choices !== undefined
    ? `(${choices.join(" ")})`
    : offers !== undefined
    ? `_pbkfs_${offers}`
    : { directory: "_files -/", file: "_files", text: " ", seconds: " ", count: " " }[kind];
  return `${bare === undefined ? ":" : "::"}${value.name.replaceAll(":", "\\:")}:${action}`;
}

/** For fish. */
export function fishScript(commands: readonly CommandSpec[]): string {
  const lines = commands.flatMap((command) => {
    const { name, summary, argument } = command;
    const inside = `__fish_seen_subcommand_from ${name}`;
    return [
      `complete -c pbkfs -n __fish_use_subcommand -a ${name} -d ${quoted(summary)}`,
      ...(argument === undefined
        ? []
        : [`complete -c pbkfs -n ${quoted(inside)} -a ${quoted(argument.choices.join(" "))}`]),
      ...allOptions(command).map((option) =>
        `complete -c pbkfs -n ${quoted(inside)} ${fishOption(option)}`
      ),
    ];
  });
  return `# fish completion for pbkfs\n${FISH_OFFERS}\ncomplete -c pbkfs -f\n${lines.join("\n")}\n`;
}

function fishOption({ short, long, value, text }: OptionSpec): string {
  const parts = [
    ...(short === undefined ? [] : [`-s ${short.slice(1)}`]),
    `-l ${long.slice(2)}`,
    ...(value === undefined || value.bare !== undefined ? [] : [fishValue(value)]),
    `-d ${quoted(text)}`,
  ];
  return parts.join(" ");
}

function fishValue({ kind, choices, offers }: NonNullable<OptionSpec["value"]>): string {
  if (choices !== undefined) return `-x -a ${quoted(choices.join(" "))}`;
  const more = offers === undefined ? "" : `(__pbkfs_${offers})`;
  if (kind === "directory") {
    return `-x -a ${quoted(`${more} (__fish_complete_directories)`.trim())}`;
  }
  if (kind === "file") return "-r -F";
  return more === "" ? "-x" : `-x -a ${quoted(more)}`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
