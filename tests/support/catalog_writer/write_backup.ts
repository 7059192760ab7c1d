/**
 * Writes one backup of a data directory, in the layout of pg_probackup 2.5.16.
 *
 * @module
 */

import type { Codec } from "../../../backup/mod.ts";
import { backupIdOf } from "../../../backup/pg_probackup/catalog/control_time.ts";
import { crc32c } from "../../../backup/tree/crc32c.ts";
import { type Content, type ContentEntry, keyOf, lineOf, PLAIN_ENTRY } from "./content_entry.ts";
import { type BackupSizes, controlText } from "./control_text.ts";
import { type FoundFile, listDataDirectory, listExternal } from "./data_directory.ts";
import type { PageChoice } from "./page_stream.ts";
import { copyFile, crcOfFile, crcOfPgControl } from "./plain_file.ts";
import type { StreamPool } from "./stream_pool.ts";

/** A backup to write. */
export interface BackupPlan {
  /** The directory of the instance, `CATALOG/backups/NAME`. */
  readonly instancePath: string;
  /** Of a server between the start and the end of a backup, or of none. */
  readonly dataPath: string;
  readonly mode: "FULL" | "DELTA" | "PAGE";
  /** Unless it is FULL. */
  readonly parent?: WrittenBackup | undefined;
  readonly codec: Codec;
  readonly level?: number;
  readonly serverVersion: string;
  readonly hasChecksums: boolean;
  readonly timeline: number;
  readonly startLsn: string;
  /** Milliseconds since 1970, later than the parent's by a second or more: it makes the id. */
  readonly startTime: number;
  /** In the order of their numbers. */
  readonly externalPaths?: readonly string[];
  /** `external-dirs`, if the directories are not where the backup says. */
  readonly externalDirs?: string;
  /** Blocks that a PAGE backup stores of a file, as the WAL tells; by LSN if left out. */
  readonly changedBlocks?: (path: string) => ReadonlySet<number>;
}

/** What is only known when all files have been stored. */
export interface BackupEnd {
  readonly stopLsn: string;
  /** `backup_label`, `tablespace_map`, `database_map`. */
  readonly extraFiles: Readonly<Record<string, Uint8Array>>;
  /** The segments from start to stop. */
  readonly walPaths: readonly string[];
}

/** A backup that can be a parent. */
export interface WrittenBackup {
  readonly id: string;
  readonly startLsn: string;
  readonly startTime: number;
  readonly content: Content;
}

const ALWAYS_STORED = "pg_filenode.map";
const DIRECTORY_BYTES = 4096;

/** `0/16B3748` as a number, exact for the first 8 PB. */
export function lsnNumber(text: string): number {
  const [high = "", low = ""] = text.split("/");
  return parseInt(high, 16) * 2 ** 32 + parseInt(low, 16);
}

/** Writes a backup, and tells what its children need to know. */
export async function writeBackup(
  plan: BackupPlan & BackupEnd,
  pool: StreamPool,
): Promise<WrittenBackup> {
  const begun = await beginBackup(plan, pool);
  return begun.finish(plan);
}

/** A backup of which the files are stored, but not yet what the server tells at the end. */
export interface BegunBackup {
  finish(end: BackupEnd): WrittenBackup;
}

/** Stores the files of a data directory. It is no backup until it is finished. */
export async function beginBackup(plan: BackupPlan, pool: StreamPool): Promise<BegunBackup> {
  const id = backupIdOf(plan.startTime);
  const writer = new BackupWriter(plan, pool, `${plan.instancePath}/${id}`);
  const files = await writer.storeFiles();
  return {
    finish(end) {
      const entries = writer.finish(files, end);
      const { startLsn, startTime } = plan;
      return { id, startLsn, startTime, content: new Map(entries.map((e) => [keyOf(e), e])) };
    },
  };
}

class BackupWriter {
  readonly #regions: Uint8Array[] = [];
  #regionBytes = 0;
  #pgdataBytes = 0;
  #uncompressedBytes = 0;

  constructor(
    readonly plan: BackupPlan,
    readonly pool: StreamPool,
    readonly dirPath: string,
  ) {}

  async storeFiles(): Promise<ContentEntry[]> {
    Deno.mkdirSync(`${this.dirPath}/database`, { recursive: true, mode: 0o700 });
    const found = listDataDirectory(this.plan.dataPath);
    const last = (file: FoundFile) => file.path === "global/pg_control";
    const entries = [
      ...await this.#storeAll(found.filter((file) => !last(file)), 0),
      ...await this.#storeAll(found.filter(last), 0),
    ];
    for (const [at, path] of (this.plan.externalPaths ?? []).entries()) {
      Deno.mkdirSync(this.#folder(at + 1), { recursive: true, mode: 0o700 });
      entries.push(...await this.#storeAll(listExternal(path), at + 1));
    }
    return entries;
  }

  finish(files: readonly ContentEntry[], end: BackupEnd): ContentEntry[] {
    const entries = [...files, ...this.#addExtraFiles(end), ...this.#addWal(end)];
    this.#writeControl(entries, end);
    return entries;
  }

  #folder(externalNumber: number): string {
    if (externalNumber === 0) return `${this.dirPath}/database`;
    return `${this.dirPath}/external_directories/externaldir${externalNumber}`;
  }

  async #storeAll(files: readonly FoundFile[], externalNumber: number): Promise<ContentEntry[]> {
    const folder = this.#folder(externalNumber);
    return await Promise.all(files.map((file) => {
      const entry: ContentEntry = {
        ...PLAIN_ENTRY,
        externalNumber,
        path: file.path,
        mode: file.mode,
        databaseOid: file.databaseOid,
        isDataFile: file.isDataFile,
        segment: file.segment,
      };
      this.#pgdataBytes += file.isDirectory ? DIRECTORY_BYTES : file.sizeBytes;
      if (file.isDirectory) {
        Deno.mkdirSync(`${folder}/${file.path}`, { mode: 0o700 });
        return entry;
      }
      if (file.isDataFile) return this.#storeData(file, entry);
      return this.#storePlain(file, entry, `${folder}/${file.path}`);
    }));
  }

  async #storeData(file: FoundFile, entry: ContentEntry): Promise<ContentEntry> {
    const { codec, level = 1, parent } = this.plan;
    if (file.sizeBytes < 8192) return entry;
    const isKnown = parent?.content.has(keyOf(entry)) ?? false;
    const stored = await this.pool.store({
      sourcePath: file.fullPath,
      targetPath: `${this.#folder(entry.externalNumber)}/${file.path}`,
      segment: file.segment,
      codec,
      level,
      pages: isKnown ? this.#pagesOf(file.path, parent!) : "all",
    });
    const { blockCount, headerCount } = stored;
    if (headerCount === 0) return { ...entry, size: -1, blockCount };
    const headersOffset = this.#regionBytes;
    this.#regions.push(stored.headers);
    this.#regionBytes += stored.headers.length;
    this.#uncompressedBytes += headerCount * 8192;
    return {
      ...entry,
      size: stored.sizeBytes,
      crc: stored.crc,
      codec,
      fullSize: headerCount * 8192,
      blockCount,
      headerCount,
      headersCrc: stored.headersCrc,
      headersOffset,
      headersSize: stored.headers.length,
    };
  }

  #pagesOf(path: string, parent: WrittenBackup): PageChoice {
    const { changedBlocks } = this.plan;
    if (changedBlocks !== undefined) return { blocks: changedBlocks(path) };
    return { changedSince: lsnNumber(parent.startLsn) };
  }

  #storePlain(file: FoundFile, entry: ContentEntry, targetPath: string): ContentEntry {
    if (file.path === "global/pg_control") {
      const bytes = Deno.readFileSync(file.fullPath);
      Deno.writeFileSync(targetPath, bytes, { createNew: true, mode: 0o600 });
      this.#uncompressedBytes += bytes.length;
      return { ...entry, size: bytes.length, crc: crcOfPgControl(bytes) };
    }
    if (file.sizeBytes === 0) return entry;
    const before = this.plan.parent?.content.get(keyOf(entry));
    const isOld = before !== undefined && !file.path.endsWith(ALWAYS_STORED) &&
      file.modifiedAt <= this.plan.parent!.startTime;
    if (isOld && file.sizeBytes === lengthOf(before) && crcOfFile(file.fullPath) === before.crc) {
      return { ...entry, size: -1, crc: before.crc, fullSize: file.sizeBytes };
    }
    this.#uncompressedBytes += file.sizeBytes;
    const crc = copyFile(file.fullPath, targetPath, file.mode);
    return { ...entry, size: file.sizeBytes, crc };
  }

  #addExtraFiles({ extraFiles }: BackupEnd): ContentEntry[] {
    return Object.entries(extraFiles).map(([path, bytes]) => {
      Deno.writeFileSync(`${this.#folder(0)}/${path}`, bytes, { mode: 0o644 });
      this.#uncompressedBytes += bytes.length;
      return { ...PLAIN_ENTRY, path, mode: 0o100644, size: bytes.length, crc: crc32c(bytes) };
    });
  }

  #addWal({ walPaths }: BackupEnd): ContentEntry[] {
    return walPaths.map((from) => {
      const path = `pg_wal/${from.slice(from.lastIndexOf("/") + 1)}`;
      const crc = copyFile(from, `${this.#folder(0)}/${path}`, 0o600);
      return { ...PLAIN_ENTRY, path, mode: 0o100600, size: Deno.statSync(from).size, crc };
    });
  }

  #writeControl(entries: readonly ContentEntry[], { stopLsn }: BackupEnd): void {
    const list = new TextEncoder().encode(entries.map(lineOf).join(""));
    Deno.writeFileSync(`${this.dirPath}/backup_content.control`, list, { mode: 0o600 });
    if (this.#regionBytes > 0) {
      using map = Deno.openSync(`${this.dirPath}/page_header_map`, {
        write: true,
        createNew: true,
        mode: 0o600,
      });
      for (const region of this.#regions) {
        for (let at = 0; at < region.length;) at += map.writeSync(region.subarray(at));
      }
    }
    const { plan } = this;
    const text = controlText({
      ...plan,
      stopLsn,
      level: plan.level ?? 1,
      endTime: Math.max(Date.now(), plan.startTime),
      sizes: this.#sizes(entries),
      parentId: plan.parent?.id,
      externalDirs: plan.externalDirs ?? (plan.externalPaths?.join(":") || undefined),
      contentCrc: crc32c(list),
    });
    Deno.writeTextFileSync(`${this.dirPath}/backup.control`, text, { mode: 0o600 });
  }

  /** @see write_backup_filelist in pg_probackup, src/catalog.c */
  #sizes(entries: readonly ContentEntry[]): BackupSizes {
    const isWal = ({ path }: ContentEntry) => path.startsWith("pg_wal/");
    const stored = (some: readonly ContentEntry[]) =>
      some.reduce((sum, { size }) => sum + Math.max(size, 0), 0);
    const directories = entries.filter(({ mode }) => (mode & 0o170000) === 0o040000).length;
    return {
      data: stored(entries.filter((entry) => !isWal(entry))) + directories * DIRECTORY_BYTES,
      wal: stored(entries.filter(isWal)),
      uncompressed: this.#uncompressedBytes + directories * DIRECTORY_BYTES,
      pgdata: this.#pgdataBytes,
    };
  }
}

/** Length of a plain file, whether it is stored or not. */
function lengthOf({ size, fullSize }: ContentEntry): number {
  return size >= 0 ? size : fullSize;
}
