/**
 * `pbkfs man`.
 *
 * @module
 */

import type { CommandSpec } from "./command.ts";
import { manPage } from "./man_page.ts";
import { printLines } from "./output.ts";

/** The command. @param commands All commands, this one included. */
export function manCommand(commands: () => readonly CommandSpec[]): CommandSpec {
  return {
    name: "man",
    summary: "print the manual page",
    description: ["The page is in the form that man(1) reads."],
    options: [],
    examples: ["pbkfs man | man -l -", "pbkfs man > /usr/local/share/man/man1/pbkfs.1"],
    codes: [],
    run: () => printLines(manPage(commands()).trimEnd()),
  };
}
