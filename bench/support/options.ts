/**
 * What a run of the scenarios can be told.
 *
 * @module
 */

import { parseArgs } from "node:util";
import type { Codec } from "../../backup/mod.ts";

/** What a server of ours is compared with: one on the extracted tree, or on a pass-through of it. */
export type Rival = typeof RIVALS[number];

const RIVALS = ["tree", "passthrough"] as const;

/** Sizes and repetitions. */
export interface BenchOptions {
  /** Of the database, about. */
  readonly sizeMb: number;
  /** Sizes for the time to the first query; `sizeMb` if empty. */
  readonly sizesMb: readonly number[];
  /** Of the pages in the catalog; the first is used where one will do. */
  readonly codecs: readonly Codec[];
  /** Measured turns of each side. */
  readonly pairs: number;
  /** Whether a turn that does not count comes first. */
  readonly warmUp: boolean;
  /** Of each turn of pgbench, or of reads for a time. */
  readonly seconds: number;
  readonly clients: number;
  /** Scale of `pgbench -i`. */
  readonly initScale: number;
  /** Pages to be dirty at a checkpoint, if the database has as many. */
  readonly dirtyPages: number;
  /** Pages read at random. */
  readonly randomPages: number;
  readonly threads: readonly number[];
  /** Files of the catalog that is mounted as a chain of `backups`. */
  readonly files: number;
  readonly backups: number;
  /** Files of the catalog with one backup. */
  readonly manyFiles: number;
  readonly mounts: number;
  /** Files made in a turn. */
  readonly newFiles: number;
  /** Files made in a diff that is mounted again. */
  readonly manyNewFiles: number;
  readonly against: Rival;
  /** Who write and sync while another reads. */
  readonly writers: number;
  /** Length of the segment that is indexed. */
  readonly segmentBlocks: number;
}

const CODECS: readonly Codec[] = ["none", "zlib", "pglz", "lz4", "zstd"];

/** Finishes in minutes, on two cores. */
export const DEFAULTS: BenchOptions = {
  sizeMb: 1024,
  sizesMb: [],
  codecs: ["zlib", "none", "lz4"],
  pairs: 3,
  warmUp: true,
  seconds: 10,
  clients: 4,
  initScale: 10,
  dirtyPages: 100_000,
  randomPages: 20_000,
  threads: [1, 16],
  files: 100_000,
  backups: 8,
  manyFiles: 1_000_000,
  mounts: 16,
  newFiles: 10_000,
  manyNewFiles: 200_000,
  against: "tree",
  writers: 4,
  segmentBlocks: 131_072,
};

/** An option of the command line, and the field that it sets. */
interface OptionSpec {
  readonly field: Exclude<keyof BenchOptions, "warmUp">;
  readonly parse: (text: string) => BenchOptions[OptionSpec["field"]];
  readonly text: string;
}

const SPECS: Readonly<Record<string, OptionSpec>> = {
  "size-mb": { field: "sizeMb", parse: count, text: "size of the database" },
  "sizes-mb": { field: "sizesMb", parse: counts, text: "sizes for the time to the first query" },
  codecs: { field: "codecs", parse: codecList, text: "codecs of the catalogs" },
  pairs: { field: "pairs", parse: count, text: "measured turns of each side" },
  seconds: { field: "seconds", parse: count, text: "length of a turn of pgbench or of reads" },
  clients: { field: "clients", parse: count, text: "clients of pgbench" },
  "init-scale": { field: "initScale", parse: count, text: "scale of pgbench -i" },
  "dirty-pages": { field: "dirtyPages", parse: count, text: "pages that a checkpoint writes" },
  "random-pages": { field: "randomPages", parse: count, text: "pages read at random" },
  threads: { field: "threads", parse: counts, text: "how many threads read at random" },
  files: { field: "files", parse: count, text: "files of the catalog with a chain" },
  backups: { field: "backups", parse: count, text: "backups of that chain" },
  "many-files": { field: "manyFiles", parse: count, text: "files of the one with one backup" },
  mounts: { field: "mounts", parse: count, text: "mounts at a time" },
  "new-files": { field: "newFiles", parse: count, text: "files made in a turn" },
  "many-new-files": { field: "manyNewFiles", parse: count, text: "files of a large diff" },
  against: { field: "against", parse: rival, text: "what servers run on: tree, passthrough" },
  writers: { field: "writers", parse: count, text: "who sync while another reads" },
  "segment-blocks": { field: "segmentBlocks", parse: count, text: "blocks of the file indexed" },
};

/** What `--help` prints. */
export function helpText(): string {
  const lines = Object.entries(SPECS).map(([name, { field, text }]) =>
    `  --${name.padEnd(14)} ${text} (default: ${DEFAULTS[field].toString() || "--size-mb"})`
  );
  return [
    "Measures pbkfs, in a new directory of TMPDIR.",
    "Usage: deno task bench [options], or deno task bench:SCENARIO [options]",
    ...lines,
    "  --no-warm-up     let the first turn count",
    "",
  ].join("\n");
}

/**
 * Reads the command line.
 *
 * @returns undefined if help is wanted.
 * @throws {TypeError} What is wrong with it.
 */
export function parseOptions(args: readonly string[]): BenchOptions | undefined {
  const known = Object.keys(SPECS).map((name) => [name, { type: "string" }] as const);
  const { values } = parseArgs({
    args: [...args],
    options: {
      ...Object.fromEntries(known),
      help: { type: "boolean" },
      "no-warm-up": { type: "boolean" },
    },
  });
  if (values.help === true) return undefined;
  const given = Object.entries(SPECS).flatMap(([name, { field, parse }]) => {
    const text = (values as Readonly<Record<string, string | undefined>>)[name];
    return text === undefined ? [] : [[field, parse(text)] as const];
  });
  const warmUp = values["no-warm-up"] !== true;
  return { ...DEFAULTS, warmUp, ...Object.fromEntries(given) };
}

function count(text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number > 0) return number;
  throw new TypeError(`"${text}" is no whole number above 0`);
}

function counts(text: string): number[] {
  return text.split(",").map(count);
}

function codecList(text: string): Codec[] {
  return text.split(",").map((name) => {
    const codec = CODECS.find((known) => known === name);
    if (codec === undefined) throw new TypeError(`"${name}" is none of ${CODECS.join(", ")}`);
    return codec;
  });
}

function rival(text: string): Rival {
  const found = RIVALS.find((known) => known === text);
  if (found === undefined) throw new TypeError(`"${text}" is none of ${RIVALS.join(", ")}`);
  return found;
}
