/**
 * Asks pg_probackup itself what a catalog holds.
 *
 * @module
 */

import { PbkfsError } from "../errors.ts";
import { type ByteString, byteString, byteStringOf, printable } from "../ffi/bytes.ts";
import { backupInfoOf } from "./backup_info.ts";
import { controlKey, type ControlValues } from "./control_file.ts";
import type { FoundBackup } from "./control_catalog.ts";

/** What to ask, and what is known already. */
export interface ShowOptions {
  /** Path of the program; looked for on PATH if left out. */
  readonly program: string | undefined;
  readonly catalogPath: string;
  readonly instance: string;
  /** From the control files: the program does not tell in which directory a backup is. */
  readonly known: readonly FoundBackup[];
}

/** Keys of the JSON output that are called otherwise in the control file. */
const RENAMED: Readonly<Record<string, string>> = {
  "current-tli": "timelineid",
};

/**
 * Runs `pg_probackup show --format=json` for one instance.
 *
 * @returns Its backups, oldest first; undefined if no program was named and PATH has none.
 * @throws {PbkfsError} `ProbackupFailed` with what the program said, or if it said nothing that
 * makes sense.
 */
export async function runShow(options: ShowOptions): Promise<FoundBackup[] | undefined> {
  const program = options.program ?? "pg_probackup";
  const args = ["show", "--format=json", "-B", options.catalogPath];
  let output: Deno.CommandOutput;
  try {
    const command = new Deno.Command(program, {
      args: [...args, `--instance=${options.instance}`],
      stdin: "null",
    });
    output = await command.output();
  } catch (error) {
    const absent = error instanceof Deno.errors.NotFound;
    if (absent && options.program === undefined) return undefined;
    throw failed(program, error instanceof Error ? error.message : String(error));
  }
  if (!output.success) {
    const said = printable(byteString(output.stderr)).trim();
    throw failed(program, `it exited with ${output.code}: ${said || "no message"}`);
  }
  return readShow(output.stdout, options, program);
}

function readShow(stdout: Uint8Array, options: ShowOptions, program: string): FoundBackup[] {
  // One character a byte: the program escapes strings, but does not make them UTF-8.
  const text = byteString(stdout);
  let instances: unknown;
  try {
    instances = JSON.parse(text);
  } catch (error) {
    throw failed(program, `its output is not JSON: ${(error as Error).message}`);
  }
  const wanted = byteStringOf(options.instance);
  const found = asArray(instances).find((one) => one["instance"] === wanted);
  if (found === undefined) {
    throw failed(program, `its output does not mention the instance "${options.instance}"`);
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

function failed(program: string, why: string): PbkfsError {
  return new PbkfsError("ProbackupFailed", {
    what: `Cannot use "${program} show": ${why}`,
    todo: "Correct what it complains about, or let pbkfs read the control files itself.",
  });
}
