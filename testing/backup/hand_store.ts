/**
 * Catalogs made by hand, for tests: of versions that no program here writes, and with damage of
 * every kind.
 *
 * @module
 */

import { deflate } from "pako";
import { bytesOf, type ByteString, byteStringOf } from "../../ffi/bytes.ts";
import { backupIdOf, formatTime } from "../../backup/pg_probackup/catalog/control_time.ts";
import { crc32c } from "../../backup/tree/crc32c.ts";
import { openChain, type OpenChainOptions } from "../../backup/pg_probackup/pages/open_chain.ts";
import { loadCodecs } from "../../backup/tree/codecs.ts";
import { resolveChain } from "../../backup/pg_probackup/catalog/resolve_chain.ts";
import type { ChainSpec } from "../../backup/pg_probackup/catalog/chain_spec.ts";
import type { ChainTree } from "../../backup/pg_probackup/pages/chain_tree.ts";

/** A record of a page stream. */
export interface HandRecord {
  readonly block: number;
  /** What follows the record's header. */
  readonly payload: Uint8Array;
  /** What the header says; the payload's length if left out. -2 makes a marker. */
  readonly sizeSaid?: number;
}

/** A line of a file list, and what is stored for it. */
export interface HandFile {
  readonly path: string;
  /** Written where the file belongs; nothing is written if left out. */
  readonly stored?: Uint8Array;
  /** Keys of the line, over those that follow from the rest. */
  readonly keys?: Readonly<Record<string, string | number>>;
}

/** A backup to make. */
export interface HandBackup {
  readonly mode?: string;
  readonly version?: string;
  /** Lines of `backup.control`, over the usual ones; undefined drops a line. */
  readonly control?: Readonly<Record<string, string | number | undefined>>;
  readonly files?: readonly HandFile[];
  readonly parent?: string;
  /** Changes the list before it is written and its CRC taken. */
  readonly editList?: (list: string) => string;
}

const BLOCK = 8192;
const FIRST_START = Date.UTC(2024, 0, 1);

/** A page of `fill` bytes that looks like a page to pg_probackup. */
export function handPage(fill: number): Uint8Array<ArrayBuffer> {
  const page = new Uint8Array(BLOCK).fill(fill & 0xff, 24);
  const view = new DataView(page.buffer);
  view.setUint16(12, 24, true);
  view.setUint16(14, BLOCK, true);
  view.setUint16(16, BLOCK, true);
  view.setUint16(18, BLOCK | 4, true);
  view.setUint32(20, fill, true);
  return page;
}

/** Records one after another, as versions before 2.4.0 (`padded`) or later ones write them. */
export function handStream(
  records: readonly HandRecord[],
  { padded }: { padded: boolean },
): { stored: Uint8Array<ArrayBuffer>; positions: number[] } {
  const parts: Uint8Array[] = [];
  const positions: number[] = [];
  let at = 0;
  for (const { block, payload, sizeSaid } of records) {
    const header = new Uint8Array(8);
    const view = new DataView(header.buffer);
    view.setUint32(0, block, true);
    view.setInt32(4, sizeSaid ?? payload.length, true);
    const padding = new Uint8Array(padded ? (8 - payload.length % 8) % 8 : 0).fill(0x7f);
    positions.push(at);
    parts.push(header, payload, padding);
    at += 8 + payload.length + padding.length;
  }
  return { stored: joined(parts), positions: [...positions, at] };
}

/** The inflated region of `page_header_map` for a stream. */
export function handHeaders(
  records: readonly HandRecord[],
  positions: readonly number[],
): Uint8Array<ArrayBuffer> {
  const region = new Uint8Array((records.length + 1) * 24);
  const view = new DataView(region.buffer);
  positions.forEach((position, index) => {
    view.setInt32(index * 24 + 8, records[index]?.block ?? 0, true);
    view.setInt32(index * 24 + 12, position, true);
  });
  return region;
}

/** A catalog with one instance, `main`, removed at the end of its scope. */
export class HandStore implements AsyncDisposable {
  #count = 0;
  #map: Uint8Array[] = [];
  #mapBytes = 0;

  private constructor(readonly catalogPath: string) {}

  static async make(): Promise<HandStore> {
    const catalogPath = await Deno.makeTempDir({ prefix: "pbkfs-hand-" });
    await Deno.mkdir(`${catalogPath}/backups/main`, { recursive: true });
    await Deno.mkdir(`${catalogPath}/wal/main`, { recursive: true });
    const conf = "system-identifier = 7710370190872320199\nxlog-seg-size = 1048576\n";
    await Deno.writeTextFile(`${catalogPath}/backups/main/pg_probackup.conf`, conf);
    return new HandStore(catalogPath);
  }

  dirOf(id: string): string {
    return `${this.catalogPath}/backups/main/${id}`;
  }

  /** A data file as 2.4.0 and later store it, with its region in the map of the next backup. */
  paged(path: string, records: readonly HandRecord[], keys: HandFile["keys"] = {}): HandFile {
    const { stored, positions } = handStream(records, { padded: false });
    const headers = handHeaders(records, positions);
    const region = deflate(headers, { level: 1 });
    const offset = this.#mapBytes;
    this.#map.push(region);
    this.#mapBytes += region.length;
    return {
      path,
      stored,
      keys: {
        is_datafile: 1,
        compress_alg: "zlib",
        n_headers: records.length,
        hdr_crc: crc32c(headers),
        hdr_off: offset,
        hdr_size: region.length,
        ...keys,
      },
    };
  }

  /** A data file as versions before 2.4.0 store it. */
  padded(path: string, records: readonly HandRecord[], keys: HandFile["keys"] = {}): HandFile {
    const { stored } = handStream(records, { padded: true });
    return { path, stored, keys: { is_datafile: 1, compress_alg: "zlib", ...keys } };
  }

  /** Writes a backup, whose parent is `parent` unless it is FULL. @returns Its id. */
  async add(backup: HandBackup): Promise<string> {
    const start = FIRST_START + this.#count++ * 60_000;
    const id = backupIdOf(start);
    const dir = this.dirOf(id);
    await Deno.mkdir(`${dir}/database`, { recursive: true });
    const usual: HandFile[] = [
      { path: "base", keys: { mode: 0o40700 } },
      { path: "global", keys: { mode: 0o40700 } },
      { path: "global/pg_control", stored: new Uint8Array(BLOCK).fill(7) },
    ];
    const lines: string[] = [];
    for (const file of [...usual, ...backup.files ?? []]) {
      lines.push(lineOf(file));
      if (file.stored !== undefined) await writeBelow(`${dir}/database`, file.path, file.stored);
    }
    const edit = backup.editList ?? ((list: string) => list);
    const list = bytesOf(byteStringOf(edit(lines.join(""))));
    await Deno.writeFile(`${dir}/backup_content.control`, list);
    if (this.#mapBytes > 0) await Deno.writeFile(`${dir}/page_header_map`, joined(this.#map));
    this.#map = [];
    this.#mapBytes = 0;
    await Deno.writeTextFile(`${dir}/backup.control`, controlOf(backup, start, crc32c(list)));
    return id;
  }

  resolve(backupId?: string): Promise<ChainSpec> {
    return resolveChain({ catalogPath: this.catalogPath, useProbackup: false, backupId });
  }

  /** Opens a backup, the newest if none is named. */
  async open(backupId?: string, options: Partial<OpenChainOptions> = {}): Promise<ChainTree> {
    return await openChain(await this.resolve(backupId), {
      layout: { mountPath: "/mnt/clone" as ByteString, restoredAt: 0, settings: [] },
      codecs: await loadCodecs(),
      ...options,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.catalogPath, { recursive: true });
  }
}

function lineOf({ path, stored, keys }: HandFile): string {
  const all = {
    path,
    size: stored?.length ?? 0,
    mode: 0o100600,
    is_datafile: 0,
    is_cfs: 0,
    crc: 0,
    compress_alg: "none",
    external_dir_num: 0,
    ...keys,
  };
  return `{${Object.entries(all).map(([key, value]) => `"${key}":"${value}"`).join(", ")}}\n`;
}

function controlOf(backup: HandBackup, start: number, contentCrc: number): string {
  const values: Record<string, string | number | undefined> = {
    "backup-mode": backup.mode ?? "FULL",
    stream: "true",
    "compress-alg": "zlib",
    "compress-level": 1,
    "from-replica": "false",
    "block-size": BLOCK,
    "xlog-block-size": BLOCK,
    "checksum-version": 0,
    "program-version": backup.version ?? "2.5.16",
    "server-version": 15,
    timelineid: 1,
    "start-lsn": "0/2000028",
    "stop-lsn": "0/2000168",
    "start-time": `'${formatTime(start, 0)}'`,
    "end-time": `'${formatTime(start + 5000, 0)}'`,
    status: "OK",
    "parent-backup-id": backup.parent === undefined ? undefined : `'${backup.parent}'`,
    "content-crc": contentCrc,
    ...backup.control,
  };
  return Object.entries(values).filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key} = ${value}\n`).join("");
}

async function writeBelow(dir: string, path: string, bytes: Uint8Array): Promise<void> {
  const slash = path.lastIndexOf("/");
  if (slash > 0) await Deno.mkdir(`${dir}/${path.slice(0, slash)}`, { recursive: true });
  await Deno.writeFile(`${dir}/${path}`, bytes);
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
