/**
 * A data directory as a tree: `BaseTree` for what is there as it is.
 *
 * @module
 */

import { PbkfsError } from "../../errors.ts";
import { type ByteString, byteStringOf } from "../../ffi/bytes.ts";
import { TYPE } from "../../ffi/file_type.ts";
import { type ByteRange, type Fd, type Libc, systemLibc } from "../../ffi/libc.ts";
import type { Base, OpenOptions, StoredWal, TreeLayout } from "../tree/base.ts";
import type { BaseEntry, BaseNames, EntryIndex, Piece, StoreOrigin } from "../tree/base_tree.ts";
import type { Codecs } from "../tree/codecs.ts";
import { newStoreCounters } from "../tree/store_counters.ts";
import { PathList } from "../tree/path_list.ts";
import { appendSettings } from "../tree/setting_lines.ts";
import { type FileOwner, StoreDirectory } from "../tree/store_directory.ts";
import type { StoreAlarm } from "../tree/store_alarm.ts";
import { type StoredFile, StoreFiles } from "../tree/store_files.ts";
import { originDamaged } from "../tree/store_error.ts";
import { TABLESPACES_DIR } from "../tree/tablespaces_dir.ts";
import { TreeBuilder } from "../tree/tree_builder.ts";
import type { TreeEntries } from "../tree/tree_entries.ts";
import { changeOfDirectory } from "./directory_change.ts";
import type { DirectorySpec } from "./directory_spec.ts";
import { isDataFile, WAL_DIRECTORY } from "./left_out.ts";
import { fingerprintOf, readSmall, rootOf, walk, type Walked } from "./walk.ts";

const AUTO_CONF = "postgresql.auto.conf" as ByteString;
const AUTO_CONF_BYTES_MAX = 16 * 1024 * 1024;

export class DirectoryTree implements Base {
  readonly rootMode: number;
  readonly owner: FileOwner;
  readonly counters = newStoreCounters();
  readonly libc: Libc;
  readonly codecs: Codecs;
  /** The WAL of a clone is copied, and in no tree. */
  readonly walFiles: readonly StoredWal[] = [];
  readonly #id: string;
  readonly #tree: TreeEntries;
  readonly #files: StoreFiles;
  /** By entry, as they were when the directory was walked. */
  readonly #sizes: Float64Array;
  readonly #times: Float64Array;
  /** Where the tree's own directory and its tablespaces lie, by how their paths begin. */
  readonly #roots: ReadonlyMap<string, string>;
  readonly #alarm: StoreAlarm | undefined;
  readonly #autoConf: { readonly entry: EntryIndex; readonly bytes: Uint8Array<ArrayBuffer> };
  #entries: readonly BaseEntry[] | undefined;

  /**
   * @param id Of the backup, for messages.
   * @throws {PbkfsError} `BackupNotRestorable` if the directory is not what it was when it was found.
   */
  constructor(spec: DirectorySpec, id: string, options: OpenOptions) {
    const { libc = systemLibc(), layout, codecs, descriptorsMax = 256 } = options;
    const { dirPath } = spec;
    const walked = walk(dirPath);
    // A server may have written while WAL was copied: it would be of another moment.
    const change = changeOfDirectory(spec);
    if (change !== undefined || fingerprintOf(walked) !== spec.fingerprint) {
      throw new PbkfsError("BackupNotRestorable", {
        what: `The data directory "${dirPath}" has changed while it was being mounted` +
          (change === undefined ? "" : `: ${change}`),
        todo: "See who writes there, and mount again.",
      });
    }
    const { owner, mode } = rootOf(dirPath);
    [this.owner, this.rootMode, this.libc, this.codecs] = [owner, mode & 0o777, libc, codecs];
    this.#id = id;
    this.#alarm = options.alarm;
    this.#tree = treeOf(walked, layout);
    this.#roots = new Map([
      ["", dirPath],
      ...[...walked.tablespaces].map(([oid, path]) => [`${TABLESPACES_DIR}/${oid}`, path] as const),
    ]);
    this.#sizes = new Float64Array(this.count);
    this.#times = new Float64Array(this.count);
    for (const { path, sizeBytes, modifiedAt } of walked.entries) {
      const entry = this.find(byteStringOf(path));
      if (entry === undefined) continue;
      this.#sizes[entry] = sizeBytes;
      this.#times[entry] = modifiedAt;
    }
    const stored = readSmall(dirPath, AUTO_CONF, AUTO_CONF_BYTES_MAX) ?? new Uint8Array();
    const bytes = appendSettings(stored, layout.settings);
    this.#autoConf = { entry: this.find(AUTO_CONF)!, bytes };
    const store = openRoots([...this.#roots.values()], owner, libc);
    this.#files = new StoreFiles(store, libc, this.counters, descriptorsMax);
  }

  get count(): number {
    return this.#tree.count;
  }

  get unlisted(): EntryIndex | undefined {
    return this.find(TABLESPACES_DIR);
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
    const type = this.mode(entry) & TYPE.mask;
    if (type === TYPE.symlink) return this.entry(entry).target?.length ?? 0;
    return entry === this.#autoConf.entry ? this.#autoConf.bytes.length : this.#sizes[entry]!;
  }

  /** Looks first whether the file is still the one that was walked, so a plan is never of another. */
  planRead(entry: EntryIndex, range: ByteRange, plan: "new" | "more" = "new"): Piece[] {
    this.#alarm?.check();
    if (plan === "new") this.#files.unpin();
    const { offsetBytes } = range;
    const isFile = (this.mode(entry) & TYPE.mask) === TYPE.file;
    const end = Math.min(offsetBytes + range.sizeBytes, this.sizeBytes(entry));
    if (!isFile || end <= offsetBytes) return [];
    if (entry === this.#autoConf.entry) {
      return [{ in: "memory", bytes: this.#autoConf.bytes.subarray(offsetBytes, end) }];
    }
    const file = this.#storedFile(entry);
    const fd = this.#files.descriptor(file);
    this.#mustBeUnchanged(entry, fd, file.of);
    return [{ in: "file", fd, range: { offsetBytes, sizeBytes: end - offsetBytes }, of: file.of }];
  }

  /** Holes of the original are not told: its file system reads them as zeros. */
  extent(entry: EntryIndex, _offsetBytes: number): { isHole: boolean; endBytes: number } {
    this.#alarm?.check();
    return { isHole: false, endBytes: this.sizeBytes(entry) };
  }

  close(): void {
    this.#files.close();
  }

  #storedFile(entry: EntryIndex): StoredFile {
    const path = this.#tree.path(entry);
    const top = path.split("/", 2).join("/");
    const prefix = this.#roots.has(top) ? top : "";
    const below = prefix === "" ? path : path.slice(prefix.length + 1);
    return {
      key: entry,
      path: `${byteStringOf(this.#roots.get(prefix)!)}/${below}` as ByteString,
      sizeBytes: this.#sizes[entry]!,
      of: { path, backupId: this.#id },
    };
  }

  #mustBeUnchanged(entry: EntryIndex, fd: Fd, of: StoreOrigin): void {
    const { sizeBytes, modifiedSeconds, modifiedNanoseconds } = this.libc.fstat(fd);
    const modifiedAt = modifiedSeconds * 1000 + Math.floor(modifiedNanoseconds / 1e6);
    if (sizeBytes === this.#sizes[entry] && modifiedAt === this.#times[entry]) return;
    throw originDamaged(of, "the file has changed since it was mounted");
  }
}

/** What was walked, and what a mount adds: links to tablespaces, and to the clone's WAL. */
function treeOf({ entries, tablespaces }: Walked, layout: TreeLayout): TreeEntries {
  const { mountPath, walLink } = layout;
  const tree = new TreeBuilder(
    new PathList({
      count: 0,
      bytes: new Uint8Array(),
      starts: new Uint32Array(1),
      externals: new Uint16Array(),
    }),
  );
  const link = { mode: TYPE.symlink | 0o777 };
  for (const { path, mode } of entries) {
    if (path === WAL_DIRECTORY && walLink !== undefined) continue;
    const isPaged = (mode & TYPE.mask) === TYPE.file && isDataFile(path);
    tree.add(byteStringOf(path), { mode: mode & ~SPECIAL_BITS, isDataFile: isPaged });
  }
  if (walLink !== undefined) tree.add(WAL_DIRECTORY, { ...link, target: walLink });
  if (!entries.some(({ path }) => path === AUTO_CONF)) {
    tree.add(AUTO_CONF, { mode: TYPE.file | 0o600 });
  }
  if (tablespaces.size > 0) tree.addDirectory(TABLESPACES_DIR);
  for (const oid of tablespaces.keys()) {
    const target = `${mountPath}/${TABLESPACES_DIR}/${oid}` as ByteString;
    tree.add(`pg_tblspc/${oid}`, { ...link, target });
  }
  return tree.build();
}

/** Set-user-ID and set-group-ID: a restore by the owner does not keep them either. */
const SPECIAL_BITS = 0o6000;

/** One way to open what lies in any of several directories. */
function openRoots(
  paths: readonly string[],
  reader: FileOwner,
  libc: Libc,
): Pick<StoreDirectory, "open" | "close"> {
  using undo = new DisposableStack();
  const roots = paths.map((path) => undo.use(StoreDirectory.open(path, { libc, reader })))
    // A tablespace may lie below another directory of these.
    .sort((a, b) => b.path.length - a.path.length);
  undo.move();
  return {
    open(path) {
      const root = roots.find((one) => path.startsWith(byteStringOf(`${one.path}/`)));
      if (root === undefined) throw new TypeError(`${path} is in none of ${paths}`);
      return root.open(path);
    },
    close() {
      for (const root of roots) root.close();
    },
  };
}
