/**
 * The configuration of a data directory: what its files say together, `include` lines followed.
 *
 * @module
 */

import { type ConfigLine, parseConfigText } from "./config_text.ts";

/** The files of one data directory. Paths are relative to it. */
export interface ConfigFiles {
  /**
   * The text of a file, `none` if nothing is there. `unreadable` is what cannot be read, and what
   * is not to be: links, which may lead anywhere, and what is no regular file.
   */
  read(path: string): { readonly text: string } | "none" | "unreadable";
  /** The names in a directory; undefined if there is none. */
  list(path: string): readonly string[] | undefined;
}

/** A setting that counts. */
export interface Setting {
  readonly value: string;
  /** Such as `postgresql.conf:12`, or `command line`. */
  readonly from: string;
}

/** What a server reads. */
export interface Configuration {
  /** By name in lower case; of those set twice, the last. */
  readonly settings: ReadonlyMap<string, Setting>;
  /** Files that have been read, in order. */
  readonly files: readonly string[];
  /** Files that a line includes, and that are outside or cannot be read: what they set is unknown. */
  readonly unread: readonly { readonly path: string; readonly from: string }[];
  /** Those of them without which no server starts. */
  readonly needed: readonly { readonly path: string; readonly from: string }[];
  /** Where PostgreSQL understands nothing, or finds nothing. */
  readonly wrong: readonly string[];
}

/** Which data directory. */
export interface ConfigurationOptions {
  /** Where its files are for the server: an include may name them so. */
  readonly dataDirectory: string;
  /** A file that is taken for empty. */
  readonly leftOut?: string;
  /** Whether the server reads this `postgresql.conf`, not one that is elsewhere. */
  readonly hasMain?: boolean;
}

export const MAIN_CONF = "postgresql.conf";
export const AUTO_CONF = "postgresql.auto.conf";

/** CONF_FILE_MAX_DEPTH of PostgreSQL. */
const DEPTH_MAX = 10;
/** More than anybody has; includes that include each other end by their depth, but late. */
const FILES_MAX = 200;
/** The same for their text, in characters. */
const TEXT_MAX = 8_000_000;

/** Reads `postgresql.conf`, and `postgresql.auto.conf` after it, as a server does. */
export function readConfiguration(
  files: ConfigFiles,
  options: ConfigurationOptions,
): Configuration {
  const reading = new Reading(files, options);
  if (options.hasMain !== false) reading.file(MAIN_CONF, undefined, { mayBeMissing: false });
  reading.file(AUTO_CONF, undefined, { mayBeMissing: true });
  return reading;
}

/** @see ParseConfigFp in PostgreSQL, guc-file.l */
class Reading implements Configuration {
  readonly settings = new Map<string, Setting>();
  readonly files: string[] = [];
  readonly unread: { path: string; from: string }[] = [];
  readonly needed: { path: string; from: string }[] = [];
  readonly wrong: string[] = [];
  #textLeft = TEXT_MAX;

  constructor(
    private readonly source: ConfigFiles,
    private readonly options: ConfigurationOptions,
  ) {}

  /** @param from The line that includes it. */
  file(
    path: string,
    from: string | undefined,
    { mayBeMissing, depth = 0 }: { mayBeMissing: boolean; depth?: number },
  ): void {
    if (depth > DEPTH_MAX || this.files.length >= FILES_MAX || this.#textLeft < 0) {
      this.wrong.push(from ?? path);
      return;
    }
    const content = path === this.options.leftOut ? { text: "" } : this.source.read(path);
    if (content === "unreadable") this.unread.push({ path, from: from ?? path });
    else if (content === "none") {
      if (!mayBeMissing) this.wrong.push(from ?? path);
    } else {
      this.files.push(path);
      this.#textLeft -= content.text.length;
      const { lines, wrongLines } = parseConfigText(content.text);
      this.wrong.push(...wrongLines.map((line) => `${path}:${line}`));
      for (const line of lines) this.#line(line, path, depth);
    }
  }

  #line({ name, value, line }: ConfigLine, path: string, depth: number): void {
    const from = `${path}:${line}`;
    switch (name) {
      case "include":
      case "include_if_exists":
        return this.#inside(value, { name, path, from }, (inside) => {
          const mayBeMissing = name === "include_if_exists";
          this.file(inside, from, { mayBeMissing, depth: depth + 1 });
        });
      case "include_dir":
        return this.#inside(value, { name, path, from }, (inside) => {
          const names = this.source.list(inside);
          if (names === undefined) return void this.wrong.push(from);
          const wanted = names.filter((each) => each.endsWith(".conf") && !each.startsWith("."));
          for (const each of wanted.toSorted()) {
            const file = inside === "" ? each : `${inside}/${each}`;
            this.file(file, from, { mayBeMissing: true, depth: depth + 1 });
          }
        });
      default:
        this.settings.set(name, { value, from });
    }
  }

  /** Calls `follow` with an included path, unless it leads out of the data directory. */
  #inside(
    value: string,
    { name, path, from }: Record<"name" | "path" | "from", string>,
    follow: (inside: string) => void,
  ): void {
    const { dataDirectory } = this.options;
    const directory = path.includes("/") ? path.slice(0, path.lastIndexOf("/") + 1) : "";
    const full = value.startsWith("/") ? value : `${dataDirectory}/${directory}${value}`;
    const inside = pathInside(full, dataDirectory);
    if (inside !== undefined) return follow(inside);
    this.unread.push({ path: value, from });
    if (name !== "include_if_exists") this.needed.push({ path: full, from });
  }
}

/** A path relative to a directory; undefined if it is not in there. Both are absolute. */
export function pathInside(path: string, directory: string): string | undefined {
  const [parts, root] = [canonical(path), canonical(directory)];
  if (root.some((part, at) => parts[at] !== part)) return undefined;
  return parts.slice(root.length).join("/");
}

/** The parts of an absolute path without `.` and `..`, which PostgreSQL takes out, too. */
function canonical(path: string): string[] {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return parts;
}
