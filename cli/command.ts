/**
 * The description of a command: parser, help, completions and man page are made from this.
 *
 * @module
 */

import type { Code } from "../errors.ts";

/** What an option's value is, which tells how it is parsed and completed. */
export type ValueKind = "directory" | "file" | "text" | "seconds" | "count";

/** What a shell can find out by itself that fits: backups of the catalog that is named, and so on. */
export type Offer = "backups" | "instances" | "mounts" | "diffs";

/** An option. */
export interface OptionSpec {
  /** Such as `-B`. */
  readonly short?: string;
  /** Such as `--pbk-store`. `--no-x` turns something off that is on otherwise. */
  readonly long: string;
  /** Left out for a switch. */
  readonly value?: {
    /** As help shows it. */
    readonly name: string;
    readonly kind: ValueKind;
    readonly choices?: readonly string[];
    readonly offers?: Offer;
    readonly default?: string;
    /** The option may be given without a value, which then means this. */
    readonly bare?: string;
  };
  readonly isRequired?: boolean;
  /** One phrase, with unit and meaning of the default. */
  readonly text: string;
}

/** What a command is called with: values by the long names of options, in camel case. */
export type Flags = Readonly<Record<string, unknown>>;

/** A command. */
export interface CommandSpec {
  readonly name: string;
  /** One line. */
  readonly summary: string;
  /** What more the man page says; paragraphs. */
  readonly description: readonly string[];
  /** Its one argument, if it has one. */
  readonly argument?: { readonly name: string; readonly choices: readonly string[] };
  readonly options: readonly OptionSpec[];
  /** Lines to paste. */
  readonly examples: readonly string[];
  /** What it may end with besides 0, 2, 70 and 71. */
  readonly codes: readonly Code[];
  /** @returns The exit status; 0 if nothing is returned. */
  readonly run: (flags: Flags, argument: string) => Promise<number | void> | number | void;
}

/** The same option, to be given in any case. */
export function required(option: OptionSpec): OptionSpec {
  return { ...option, isRequired: true };
}
