/**
 * Files of a chain that are stored as they are, by name: what must be known before there is a tree.
 *
 * @module
 */

import { bytesOf, type ByteString } from "../../../ffi/bytes.ts";
import { TYPE } from "../../../ffi/file_type.ts";
import { type Libc, systemLibc } from "../../../ffi/libc.ts";
import { allocate } from "../../../ffi/memory.ts";
import { rewriteAutoConf } from "./auto_conf.ts";
import { appendSettings } from "../../tree/setting_lines.ts";
import { type ChainSpec, destOf } from "../catalog/chain_spec.ts";
import { newStoreCounters } from "../../tree/store_counters.ts";
import type { FileLists } from "./file_lists.ts";
import type { StoredWal, TreeLayout } from "../../tree/base.ts";
import type { Row } from "../../tree/path_list.ts";
import { restoredMode } from "./restored_mode.ts";
import { openInstance } from "../catalog/open_instance.ts";
import { originDamaged, storeDamaged } from "../../tree/store_error.ts";
import { StoreFiles } from "../../tree/store_files.ts";
import { StoreLayout } from "./store_layout.ts";

/** In the tree it has content of its own. */
export const AUTO_CONF = "postgresql.auto.conf";

/** Files that are read whole are not longer than this. */
const SMALL_FILE_BYTES_MAX = 16 * 1024 * 1024;
const WAL = bytesOf("pg_wal/" as ByteString);

/** What {@link PlainFiles} reads with. */
export interface PlainFilesParts {
  readonly lists: FileLists;
  readonly store: StoreLayout;
  readonly files: StoreFiles;
  readonly libc: Libc;
}

/** Reads small files whole. */
export class PlainFiles {
  constructor(private readonly spec: ChainSpec, private readonly parts: PlainFilesParts) {}

  /** Of a chain whose tree nobody needs yet. Close it. */
  static open(spec: ChainSpec, lists: FileLists): PlainFiles {
    const libc = systemLibc();
    const files = new StoreFiles(openInstance(spec), libc, newStoreCounters(), 1);
    return new PlainFiles(spec, { lists, store: new StoreLayout(spec, lists), files, libc });
  }

  close(): void {
    this.parts.files.close();
  }

  /**
   * The content of a plain file in the data directory; empty if there is none.
   *
   * @throws {PbkfsError} `StoreDamaged`, also if it is not as short as such a file is.
   */
  read(path: string): Uint8Array<ArrayBuffer> {
    const { lists, store, files, libc } = this.parts;
    const row = lists.paths.rowOf(path as ByteString);
    if (row === undefined) return new Uint8Array();
    const stored = store.storedFile(row, store.holderOf(row), path as ByteString);
    const sizeBytes = stored.sizeBytes ?? 0;
    if (sizeBytes > SMALL_FILE_BYTES_MAX) {
      throw storeDamaged(`"${path}" in backup ${stored.of.backupId} has ${sizeBytes} bytes`);
    }
    if (sizeBytes === 0) return new Uint8Array();
    const buffer = allocate(sizeBytes);
    files.unpin();
    const fd = files.descriptor(stored);
    const got = libc.pread(fd, buffer.address, { offsetBytes: 0, sizeBytes });
    if (got !== sizeBytes) throw originDamaged(stored.of, "its stored file has shrunk");
    return buffer.bytes;
  }

  /** `postgresql.auto.conf` as the tree has it. */
  autoConf({ restoredAt, settings }: Pick<TreeLayout, "restoredAt" | "settings">) {
    const { id: backupId, serverVersion } = destOf(this.spec);
    const stored = this.read(AUTO_CONF);
    return Number.parseInt(serverVersion, 10) >= 12
      ? rewriteAutoConf(stored, { backupId, restoredAt, settings })
      // Before PostgreSQL 12 a restore leaves the file alone, so only our own lines are added.
      : appendSettings(stored, settings);
  }

  /** Permission bits of the directory `pg_wal`: 0750 in a cluster with group access. */
  get walMode(): number {
    const { lists } = this.parts;
    const row = lists.paths.rowOf("pg_wal" as ByteString);
    return row === undefined ? 0o700 : restoredMode(lists, row) & 0o777;
  }

  /** What dest stores in `pg_wal` itself, sorted by name. */
  walFiles(): StoredWal[] {
    const { lists, lists: { paths, modes }, store } = this.parts;
    const found: StoredWal[] = [];
    for (let row = 0 as Row; row < paths.count; row++) {
      const isFile = (modes[row]! & TYPE.mask) === TYPE.file;
      if (!isFile || paths.external(row) > 0 || !paths.startsWith(row, WAL)) continue;
      const path = paths.path(row);
      const name = path.slice(WAL.length) as ByteString;
      if (name.includes("/")) continue;
      const stored = store.storedFile(row, store.holderOf(row), path);
      const mode = restoredMode(lists, row) & 0o777;
      found.push({ name, path: stored.path, sizeBytes: stored.sizeBytes ?? 0, mode });
    }
    return found.sort((a, b) => (a.name < b.name ? -1 : 1));
  }
}
