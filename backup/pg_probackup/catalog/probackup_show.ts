/**
 * Asks pg_probackup itself what a catalog holds.
 *
 * @module
 */

import { PbkfsError } from "../../../errors.ts";
import { type ByteString, byteString, byteStringOf, printable } from "../../../ffi/bytes.ts";
import { backupInfoOf } from "./backup_info.ts";
import { type ProgramEnd, runBounded } from "./bounded_program.ts";
import { catalogUser } from "./catalog_user.ts";
import { controlKey, type ControlValues } from "./control_file.ts";
import type { FoundBackup } from "./control_catalog.ts";

/** Which program is asked, and for how long. */
export interface ProbackupOptions {
  /** Path of pg_probackup; looked for on PATH if left out. */
  readonly probackup?: string | undefined;
  /** false: never run the program, read the control files. */
  readonly useProbackup?: boolean | undefined;
  /** After that the program is killed; {@link PROBACKUP_TIMEOUT_MS} if left out. */
  readonly probackupTimeoutMs?: number | undefined;
}

/** How long the program may take, if the caller does not say. It reads some small files. */
export const PROBACKUP_TIMEOUT_MS = 10_000;

/** What to ask, and what is known already. */
export interface ShowOptions extends ProbackupOptions {
  readonly catalogPath: string;
  readonly instance: string;
  /** From the control files: the program does not tell in which directory a backup is. */
  readonly known: readonly FoundBackup[];
}

/** The program said nothing that can be used. The caller may know without it. */
export class ShowFailure extends Error {
  override readonly name = "ShowFailure";

  /** @param isLate It did not end in time: it is no use to ask it again. */
  constructor(
    readonly program: string,
    readonly why: string,
    readonly isLate: boolean,
    options?: ErrorOptions,
  ) {
    super(`"${program} show" ${why}`, options);
  }
}

/** Keys of the JSON output that are called otherwise in the control file. */
const RENAMED: Readonly<Record<string, string>> = {
  "current-tli": "timelineid",
};

/** A listing of a backup is about 1 KB long. */
const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;
/** Of what a program says, an error quotes the end. */
const TALK_LENGTH_MAX = 1000;

/**
 * Runs `pg_probackup show --format=json` for one instance; root does so as the user whose catalog it
 * is, since the program follows what that user lays out there.
 *
 * @returns Its backups, oldest first; undefined if no program was named and PATH has none.
 * @throws {ShowFailure} If it fails, does not end, or says nothing that makes sense.
 * @throws {PbkfsError} `ProbackupFailed` if a program was named that cannot be run.
 */
export async function runShow(options: ShowOptions): Promise<FoundBackup[] | undefined> {
  const { catalogPath, instance, probackupTimeoutMs: timeoutMs = PROBACKUP_TIMEOUT_MS } = options;
  const program = options.probackup ?? "pg_probackup";
  const args = ["show", "--format=json", "-B", catalogPath, `--instance=${instance}`];
  let end: ProgramEnd;
  try {
    const user = Deno.uid() === 0 ? catalogUser(catalogPath, options.instance) : undefined;
    end = await runBounded(program, args, { timeoutMs, outputBytesMax: OUTPUT_BYTES_MAX, user });
  } catch (error) {
    if (options.probackup !== undefined) throw cannotRun(program, error);
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw new ShowFailure(program, `cannot be run: ${(error as Error).message}`, false, {
      cause: error,
    });
  }
  const fail = (why: string, isLate = false) => new ShowFailure(program, why, isLate);
  if (end.kind === "late") {
    throw fail(`did not end within ${timeoutMs / 1000} s, and was killed`, true);
  }
  if (end.kind === "endless") {
    throw fail(`printed more than ${OUTPUT_BYTES_MAX >> 20} MiB, and was killed`, true);
  }
  if (end.code !== 0) {
    const how = end.code === null ? `was ended by ${end.signal}` : `exited with ${end.code}`;
    throw fail(`${how}: ${talkOf(end.stderr) || "no message"}`);
  }
  try {
    return readShow(end.stdout, options);
  } catch (error) {
    if (error instanceof PbkfsError) throw error;
    throw new ShowFailure(program, (error as Error).message, false, { cause: error });
  }
}

/** A program that was named, but cannot be run. */
export function cannotRun(program: string, error: unknown): PbkfsError {
  return new PbkfsError("ProbackupFailed", {
    what: `Cannot run "${program}": ${error instanceof Error ? error.message : String(error)}`,
    todo:
      "Name another program with --pg-probackup, or leave the option out; --pg-probackup none " +
      "has pbkfs read the catalog by itself.",
    cause: error,
  });
}

function talkOf(stderr: Uint8Array<ArrayBuffer>): string {
  const said = printable(byteString(stderr)).trim().replaceAll(/\s*\n\s*/g, "; ");
  return said.length <= TALK_LENGTH_MAX ? said : `... ${said.slice(-TALK_LENGTH_MAX)}`;
}

/** @throws {TypeError} Saying what is wrong with the output. */
function readShow(stdout: Uint8Array, options: ShowOptions): FoundBackup[] {
  // One character a byte: the program escapes strings, but does not make them UTF-8.
  const text = byteString(stdout);
  let instances: unknown;
  try {
    instances = JSON.parse(text);
  } catch (error) {
    throw new TypeError(`printed what is not JSON: ${(error as Error).message}`);
  }
  const wanted = byteStringOf(options.instance);
  const found = asArray(instances).find((one) => one["instance"] === wanted);
  if (found === undefined) {
    throw new TypeError(`printed nothing about the instance "${options.instance}"`);
  }
  const directories = new Map(options.known.map(({ info }) => [info.id, info.dirPath]));
  return asArray(found["backups"])
    .map((backup) => foundBackupOf(backup, options, directories))
    .sort((a, b) => a.info.startTime - b.info.startTime);
}

function foundBackupOf(
  json: Record<string, unknown>,
  { catalogPath, instance }: ShowOptions,
  directories: ReadonlyMap<string, string>,
): FoundBackup {
  const id = String(json["id"]).toUpperCase();
  const dirPath = directories.get(id) ?? `${catalogPath}/backups/${instance}/${id}`;
  return { info: backupInfoOf(controlValuesOf(json), { dirPath, fallbackId: id }) };
}

/** The JSON of one backup as the keys and values of its control file. */
function controlValuesOf(json: Record<string, unknown>): ControlValues {
  const values = new Map<string, ByteString>();
  for (const [key, value] of Object.entries(json)) {
    if (typeof value === "object") continue;
    if (key === "wal") values.set("stream", String(value === "STREAM") as ByteString);
    else values.set(RENAMED[key] ?? controlKey(key), String(value) as ByteString);
  }
  return values;
}

function asArray(value: unknown): Record<string, unknown>[] {
  if (!Array.isArray(value)) return [];
  return value.filter((one) => typeof one === "object" && one !== null);
}
