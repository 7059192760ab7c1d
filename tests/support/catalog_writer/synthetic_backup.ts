/**
 * One backup of a made-up catalog: what every backup has, and the list of the rest.
 *
 * @module
 */

import type { Codec } from "../../../backup/mod.ts";
import { backupIdOf } from "../../../backup/pg_probackup/catalog/control_time.ts";
import { crc32c } from "../../../backup/tree/crc32c.ts";
import { type ContentEntry, lineOf, PLAIN_ENTRY } from "./content_entry.ts";
import { controlText } from "./control_text.ts";

/** Of the WAL of made-up catalogs. */
export const WAL_SEGMENT_BYTES = 1024 * 1024;

const FIRST_START = Date.UTC(2024, 0, 1);
const DIRECTORIES = ["base", "global", "pg_wal", "pg_tblspc"];

/** A backup that is being written. It is none until it is finished. */
export class SyntheticBackup implements Disposable {
  readonly id: string;
  readonly dirPath: string;
  readonly #list: ListWriter;

  /** @param number Position in the chain, 0 for FULL. */
  constructor(
    instancePath: string,
    readonly number: number,
    private readonly parentId: string | undefined,
  ) {
    this.id = backupIdOf(this.#startTime);
    this.dirPath = `${instancePath}/${this.id}`;
    for (const dir of DIRECTORIES) {
      Deno.mkdirSync(`${this.dirPath}/database/${dir}`, { recursive: true, mode: 0o700 });
    }
    this.#list = new ListWriter(`${this.dirPath}/backup_content.control`);
    for (const path of DIRECTORIES) this.#list.add(directoryEntry(path));
    for (const [path, bytes] of Object.entries(plainFiles(number))) {
      Deno.writeFileSync(`${this.dirPath}/database/${path}`, bytes, { mode: 0o600 });
      const size = bytes.length;
      this.#list.add({ ...PLAIN_ENTRY, path, mode: 0o100600, size, crc: crc32c(bytes) });
    }
  }

  get #startTime(): number {
    return FIRST_START + this.number * 60_000;
  }

  /** Lists an entry. Whoever does, stores what it says. */
  add(entry: ContentEntry): void {
    this.#list.add(entry);
  }

  /** Makes a database's directory. */
  addDatabase(oid: number): void {
    this.add(directoryEntry(`base/${oid}`, oid));
    Deno.mkdirSync(`${this.dirPath}/database/base/${oid}`);
  }

  /** Writes what makes it a backup. @param codec Of its data files. */
  finish(codec: Codec): void {
    const startTime = this.#startTime;
    const lsn = `0/${(this.number + 1).toString(16).toUpperCase()}`;
    const text = controlText({
      mode: this.number === 0 ? "FULL" : "PAGE",
      codec,
      level: 1,
      hasChecksums: false,
      serverVersion: "15",
      timeline: 1,
      startLsn: `${lsn}00028`,
      stopLsn: `${lsn}00168`,
      startTime,
      endTime: startTime + 5000,
      sizes: { data: 0, wal: WAL_SEGMENT_BYTES, uncompressed: 0, pgdata: 0 },
      parentId: this.parentId,
      externalDirs: undefined,
      contentCrc: this.#list.finish(),
    });
    Deno.writeTextFileSync(`${this.dirPath}/backup.control`, text);
  }

  [Symbol.dispose](): void {
    this.#list[Symbol.dispose]();
  }
}

/** As many as a mount asks for, and the segment that `start-lsn` and `stop-lsn` lie in. */
function plainFiles(backup: number): Record<string, Uint8Array> {
  const segment = (backup + 1).toString(16).toUpperCase().padStart(8, "0");
  return {
    PG_VERSION: new TextEncoder().encode("15\n"),
    "postgresql.auto.conf": new TextEncoder().encode("# none\n"),
    "global/pg_control": new Uint8Array(8192).fill(1),
    [`pg_wal/0000000100000000${segment}`]: new Uint8Array(WAL_SEGMENT_BYTES),
  };
}

function directoryEntry(path: string, databaseOid = 0): ContentEntry {
  return { ...PLAIN_ENTRY, path, mode: 0o040700, databaseOid };
}

/** A list too long to be held as one string. */
class ListWriter implements Disposable {
  #crc = 0;
  #text = "";
  readonly #file: Deno.FsFile;

  constructor(path: string) {
    this.#file = Deno.openSync(path, { write: true, createNew: true, mode: 0o600 });
  }

  add(entry: ContentEntry): void {
    this.#text += lineOf(entry);
    if (this.#text.length > 4_000_000) this.#flush();
  }

  /** @returns The CRC32C of the list. */
  finish(): number {
    this.#flush();
    return this.#crc;
  }

  #flush(): void {
    const bytes = new TextEncoder().encode(this.#text);
    this.#text = "";
    this.#crc = crc32c(bytes, this.#crc);
    for (let at = 0; at < bytes.length;) at += this.#file.writeSync(bytes.subarray(at));
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }
}
