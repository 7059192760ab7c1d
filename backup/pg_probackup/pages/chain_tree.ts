/**
 * A chain of backups as a tree: {@link BaseTree} for pg_probackup.
 *
 * @module
 */

import type { ByteString } from "../../../ffi/bytes.ts";
import type { ByteRange, Libc } from "../../../ffi/libc.ts";
import {
  type BaseEntry,
  type BaseNames,
  BLOCK_SIZE_BYTES,
  type EntryIndex,
  type Piece,
} from "../../tree/base_tree.ts";
import { type ChainSpec, destOf } from "../catalog/chain_spec.ts";
import type { Codecs } from "../../tree/codecs.ts";
import { newStoreCounters } from "../../tree/store_counters.ts";
import { IndexCache } from "./index_cache.ts";
import { IndexMaker } from "./index_maker.ts";
import type { Base, StoredWal, TreeLayout } from "../../tree/base.ts";
import type { PageIndex } from "./page_index.ts";
import type { Row } from "../../tree/path_list.ts";
import { AUTO_CONF, PlainFiles } from "../lists/plain_files.ts";
import { planBlocks } from "./plan_blocks.ts";
import type { FileLists } from "../lists/file_lists.ts";
import { openInstance } from "../catalog/open_instance.ts";
import type { StoreAlarm } from "../../tree/store_alarm.ts";
import { type StoredFile, StoreFiles } from "../../tree/store_files.ts";
import { StoreLayout } from "../lists/store_layout.ts";
import { externalDirectories, parseTablespaceMap } from "../lists/tablespace_map.ts";
import type { TreeEntries } from "../../tree/tree_entries.ts";
import { listTree, rootModeOf } from "../lists/tree_list.ts";
import { TABLESPACES_DIR } from "../../tree/tablespaces_dir.ts";

/** What a tree is made of. */
export interface ChainTreeParts {
  readonly lists: FileLists;
  readonly owner: { readonly uid: number; readonly gid: number };
  readonly libc: Libc;
  readonly codecs: Codecs;
  readonly layout: TreeLayout;
  readonly descriptorsMax: number;
  readonly indexBudgetBytes: number;
  readonly alarm: StoreAlarm | undefined;
}

/** A file that has been read. */
interface ReadFile {
  readonly file: BaseEntry;
  readonly row: Row;
  /** Where its bytes are stored, by member, as far as somebody asked. */
  readonly stored: (StoredFile | undefined)[];
}

/** Of so many files it is remembered what they are. */
const READ_FILES_MAX = 128;

export class ChainTree implements Base {
  readonly rootMode: number;
  readonly owner: { readonly uid: number; readonly gid: number };
  readonly counters = newStoreCounters();
  readonly libc: Libc;
  readonly codecs: Codecs;
  readonly walFiles: readonly StoredWal[];
  readonly #lists: FileLists;
  readonly #store: StoreLayout;
  readonly #files: StoreFiles;
  readonly #maker: IndexMaker;
  readonly #indexes: IndexCache;
  readonly #tree: TreeEntries;
  readonly #alarm: StoreAlarm | undefined;
  #entries: readonly BaseEntry[] | undefined;
  /** Lengths found so far, and one more; 0 where not asked yet, which takes no memory. */
  readonly #sizes: Float64Array;
  readonly #read = new Map<EntryIndex, ReadFile>();
  /** Files of which the content is not the store's. */
  readonly #contents = new Map<EntryIndex, Uint8Array<ArrayBuffer>>();

  constructor(readonly spec: ChainSpec, parts: ChainTreeParts) {
    const { lists, libc, codecs, layout } = parts;
    this.owner = parts.owner;
    this.libc = libc;
    this.codecs = codecs;
    this.#lists = lists;
    this.#alarm = parts.alarm;
    this.#store = new StoreLayout(spec, lists);
    this.#store.check();
    const directory = openInstance(spec, { libc, reader: parts.owner });
    this.#files = new StoreFiles(directory, libc, this.counters, parts.descriptorsMax);
    this.#maker = new IndexMaker({
      lists,
      store: this.#store,
      files: this.#files,
      libc,
      codecs,
      counters: this.counters,
    });
    this.#indexes = new IndexCache(parts.indexBudgetBytes);
    const store = this.#store;
    const plain = new PlainFiles(spec, { lists, store, files: this.#files, libc });
    try {
      const dest = destOf(spec);
      const serverMajor = Number.parseInt(dest.serverVersion, 10);
      const { mountPath, walLink } = layout;
      this.#tree = listTree(lists, {
        tablespaces: parseTablespaceMap(plain.read("tablespace_map")),
        externalCount: externalDirectories(dest.externalDirs).length,
        mountPath,
        ...(walLink === undefined ? {} : { walLink }),
        inheritsMode: serverMajor >= 11,
      });
      this.#sizes = new Float64Array(this.count);
      this.rootMode = rootModeOf(lists);
      this.walFiles = plain.walFiles();
      this.#contents.set(this.find(AUTO_CONF as ByteString)!, plain.autoConf(layout));
    } catch (error) {
      this.close();
      throw error;
    }
  }

  get count(): number {
    return this.#tree.count;
  }

  /** Who walks the tree comes to tablespaces through `pg_tblspc`, like on any server, and once. */
  get unlisted(): EntryIndex | undefined {
    const entry = this.find(TABLESPACES_DIR);
    // One that the backup itself has is a directory like others.
    return entry === undefined || this.#tree.row(entry) >= 0 ? undefined : entry;
  }

  get entries(): readonly BaseEntry[] {
    return this.#entries ??= Array.from(
      { length: this.count },
      (_, index) => this.entry(index as EntryIndex),
    );
  }

  entry(index: EntryIndex): BaseEntry {
    return this.#tree.entry(index);
  }

  mode(index: EntryIndex): number {
    return this.#tree.mode(index);
  }

  parent(index: EntryIndex): EntryIndex | undefined {
    return this.#tree.parent(index);
  }

  names(directory: EntryIndex | undefined): BaseNames {
    return this.#tree.names(directory);
  }

  find(path: ByteString): EntryIndex | undefined {
    return this.#tree.find(path);
  }

  sizeBytes(entry: EntryIndex): number {
    const known = this.#sizes[entry];
    if (known !== undefined && known > 0) return known - 1;
    const size = this.#findSize(entry);
    this.#sizes[entry] = size + 1;
    return size;
  }

  planRead(entry: EntryIndex, range: ByteRange, plan: "new" | "more" = "new"): Piece[] {
    this.#alarm?.check();
    if (plan === "new") this.#files.unpin();
    const known = this.#readFile(entry);
    const { row, file } = known;
    const sizeBytes = this.sizeBytes(entry);
    const { offsetBytes } = range;
    const end = Math.min(offsetBytes + range.sizeBytes, sizeBytes);
    if (file.kind !== "file" || end <= offsetBytes) return [];
    const clipped = { offsetBytes, sizeBytes: end - offsetBytes };
    const content = this.#contents.get(entry);
    if (content !== undefined) {
      return [{ in: "memory", bytes: content.subarray(offsetBytes, end) }];
    }
    if (!file.isDataFile) {
      const stored = this.#storedFile(known, this.#store.holderOf(row));
      const fd = this.#files.descriptor(stored);
      return [{ in: "file", fd, range: clipped, of: stored.of }];
    }
    return planBlocks(this.#indexOf(entry), clipped, (member, block) => {
      const stored = this.#storedFile(known, member);
      const codec = this.#lists.members[member]!.codec(row);
      const fd = this.#files.descriptor({ ...stored, of: { ...stored.of, block } });
      return { fd, codec, of: stored.of };
    });
  }

  extent(entry: EntryIndex, offsetBytes: number): { isHole: boolean; endBytes: number } {
    this.#alarm?.check();
    const sizeBytes = this.sizeBytes(entry);
    const isWhole = this.#contents.has(entry) || !this.entry(entry).isDataFile;
    if (isWhole) return { isHole: false, endBytes: sizeBytes };
    const run = this.#indexOf(entry).run(Math.floor(offsetBytes / BLOCK_SIZE_BYTES));
    return { isHole: run.isHole, endBytes: Math.min(run.endBlock * BLOCK_SIZE_BYTES, sizeBytes) };
  }

  close(): void {
    this.#files.close();
    this.#indexes.clear();
  }

  #findSize(entry: EntryIndex): number {
    const { kind, isDataFile, target } = this.entry(entry);
    if (kind === "symlink") return target?.length ?? 0;
    if (kind === "directory") return 0;
    const content = this.#contents.get(entry);
    if (content !== undefined) return content.length;
    const row = this.#tree.row(entry) as Row;
    if (!isDataFile) return this.#lists.members[this.#store.holderOf(row)]!.storedSizeBytes(row);
    const blocks = this.#maker.blockCountForSure(row) ?? this.#indexOf(entry).blockCount;
    return blocks * BLOCK_SIZE_BYTES;
  }

  /** What there is to be known of a file that is read: mostly one that has been, just before. */
  #readFile(entry: EntryIndex): ReadFile {
    const known = this.#read.get(entry);
    if (known !== undefined) return known;
    if (this.#read.size >= READ_FILES_MAX) this.#read.clear();
    const row = this.#tree.row(entry) as Row;
    const stored = new Array<StoredFile>(this.#lists.members.length);
    const made = { file: this.entry(entry), row, stored };
    this.#read.set(entry, made);
    return made;
  }

  #storedFile({ file, row, stored }: ReadFile, member: number): StoredFile {
    return stored[member] ??= this.#store.storedFile(row, member, file.path);
  }

  #indexOf(entry: EntryIndex): PageIndex {
    const row = this.#tree.row(entry) as Row;
    return this.#indexes.get(row, () => this.#maker.make(row, this.#tree.path(entry)));
  }
}
