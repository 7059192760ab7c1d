/**
 * `pbkfs completion`: scripts that let a shell complete commands, options and paths.
 *
 * @module
 */

import type { CommandSpec } from "./command.ts";
import { bashScript, fishScript, zshScript } from "./completion_scripts.ts";
import { printLines } from "./output.ts";

const SCRIPTS = { bash: bashScript, zsh: zshScript, fish: fishScript } as const;

/** The command. @param commands All commands, this one included. */
export function completionCommand(commands: () => readonly CommandSpec[]): CommandSpec {
  return {
    name: "completion",
    summary: "print a script that lets a shell complete commands and options",
    description: [],
    argument: { name: "shell", choices: Object.keys(SCRIPTS) },
    options: [],
    examples: [
      "pbkfs completion bash > /etc/bash_completion.d/pbkfs",
      'pbkfs completion zsh > "${fpath[1]}/_pbkfs"',
      "pbkfs completion fish > ~/.config/fish/completions/pbkfs.fish",
    ],
    codes: [],
    run: (_flags, shell) => {
      printLines(SCRIPTS[shell as keyof typeof SCRIPTS](commands()).trimEnd());
    },
  };
}
