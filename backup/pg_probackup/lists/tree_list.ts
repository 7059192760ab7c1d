/**
 * From dest's file list to the entries of the tree: what a restore would write, and where.
 *
 * @module
 */

import { bytesOf, type ByteString, printable } from "../../../ffi/bytes.ts";
import type { FileLists } from "./file_lists.ts";
import type { PathList, Row } from "../../tree/path_list.ts";
import { AUTO_CONF } from "./plain_files.ts";
import { restoredMode } from "./restored_mode.ts";
import { storeDamaged } from "../../tree/store_error.ts";
import { TABLESPACES_DIR } from "../../tree/tablespaces_dir.ts";
import { TreeBuilder } from "../../tree/tree_builder.ts";
import { TYPE } from "../../../ffi/file_type.ts";
import type { TreeEntries } from "../../tree/tree_entries.ts";

/** What decides where things go. */
export interface TreeListOptions {
  /** Tablespaces by oid. */
  readonly tablespaces: ReadonlyMap<ByteString, ByteString>;
  /** How many external directories dest has. */
  readonly externalCount: number;
  /** Where the tree will be seen. */
  readonly mountPath: ByteString;
  /** Target of `pg_wal`, if it is to be a symbolic link. */
  readonly walLink?: ByteString;
  /** PostgreSQL 11 and later: the mode of tablespaces follows `pg_tblspc`. */
  readonly inheritsMode: boolean;
}

/** Where external directories lie inside the tree. */
const EXTERNAL_DIR = "external_directories";

const CONTROL = "global/pg_control";
const OMITTED = ["tablespace_map", "database_map"];
const WAL = "pg_wal";
const TBLSPC = "pg_tblspc";
const [AUTO_CONF_BYTES, CONTROL_BYTES, WAL_BYTES, TBLSPC_BYTES] = [AUTO_CONF, CONTROL, WAL, TBLSPC]
  .map((path) => bytesOf(path as ByteString)) as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
const OMITTED_BYTES = OMITTED.map((path) => bytesOf(path as ByteString));

const SLASH = 0x2f;
const MODE_BITS = 0o7777;
const PRIVATE = 0o700;

/**
 * @returns The tree, sorted by path, bytewise; every directory that something is in, is there.
 * @throws {PbkfsError} `StoreDamaged` if two entries get one place, or one is inside a file.
 */
export function listTree(lists: FileLists, options: TreeListOptions): TreeEntries {
  const tree = new TreeBuilder(lists.paths);
  const listing = new Listing(lists, options, tree);
  for (let row = 0 as Row; row < lists.paths.count; row++) listing.add(row);
  listing.addOwn();
  return tree.build();
}

/** What of a list goes into a tree. */
class Listing {
  #hasControl = false;
  #hasAutoConf = false;
  #tablespaceMode = PRIVATE;
  /** Oids of tablespaces that are in the list. */
  readonly #linked = new Set<string>();

  constructor(
    private readonly lists: FileLists,
    private readonly options: TreeListOptions,
    private readonly tree: TreeBuilder,
  ) {}

  add(row: Row): void {
    const { lists, lists: { paths }, tree } = this;
    const mode = restoredMode(lists, row);
    const isDirectory = (mode & TYPE.mask) === TYPE.directory;
    const entry = { mode, isDataFile: !isDirectory && lists.isPaged(row), row };
    if (paths.external(row) > 0) return tree.add(this.#externalPath(row), entry);
    if (this.#isOmitted(row)) return;
    if (isAtOrBelow(paths, row, TBLSPC_BYTES)) return this.#addInTblspc(row);
    if (!isDirectory && isPath(paths, row, CONTROL_BYTES)) {
      this.#hasControl = true;
      return tree.addRow(row, { ...entry, mode: TYPE.file | 0o644 });
    }
    if (isPath(paths, row, AUTO_CONF_BYTES)) {
      this.#hasAutoConf = true;
      return tree.addRow(row, isDirectory ? entry : { ...entry, mode: TYPE.file | 0o600 });
    }
    tree.addRow(row, entry);
  }

  /** What a restore makes without a line in the list. */
  addOwn(): void {
    const { tree, options: { mountPath, walLink, externalCount } } = this;
    if (!this.#hasControl) throw storeDamaged(`The backup has no ${CONTROL}`);
    if (!this.#hasAutoConf) tree.add(AUTO_CONF, { mode: TYPE.file | 0o600 });
    if (walLink !== undefined) tree.add(WAL, { mode: TYPE.symlink | 0o777, target: walLink });
    if (this.#linked.size > 0) tree.addDirectory(TABLESPACES_DIR);
    for (const oid of this.#linked) {
      const target = `${mountPath}/${TABLESPACES_DIR}/${oid}` as ByteString;
      tree.add(`${TBLSPC}/${oid}`, { mode: TYPE.symlink | 0o777, target });
      tree.addDirectory(`${TABLESPACES_DIR}/${oid}`, this.#tablespaceMode);
    }
    if (externalCount > 0) tree.addDirectory(EXTERNAL_DIR);
    for (let number = 1; number <= externalCount; number++) {
      tree.addDirectory(`${EXTERNAL_DIR}/externaldir${number}`);
    }
  }

  #externalPath(row: Row): string {
    const { lists: { paths }, options: { externalCount } } = this;
    const number = paths.external(row);
    const stored = paths.path(row);
    if (number <= externalCount) return `${EXTERNAL_DIR}/externaldir${number}/${stored}`;
    throw storeDamaged(
      `"${printable(stored)}" belongs to external directory ${number}, but backup.control ` +
        `names ${externalCount}`,
    );
  }

  #isOmitted(row: Row): boolean {
    const { paths } = this.lists;
    if (this.options.walLink !== undefined && isAtOrBelow(paths, row, WAL_BYTES)) return true;
    return OMITTED_BYTES.some((path) => isPath(paths, row, path));
  }

  #addInTblspc(row: Row): void {
    const { lists, options, tree } = this;
    const stored = lists.paths.path(row);
    const mode = restoredMode(lists, row);
    const isDirectory = (mode & TYPE.mask) === TYPE.directory;
    const entry = { mode, isDataFile: !isDirectory && lists.isPaged(row), row };
    if (stored === TBLSPC && options.inheritsMode) this.#tablespaceMode = mode & MODE_BITS;
    const oid = tablespaceOf(stored, options.tablespaces);
    if (oid === undefined) return tree.addRow(row, entry);
    this.#linked.add(oid);
    // The link takes the place of the directory. A file there would be in its way.
    const isRoot = stored.length === TBLSPC.length + 1 + oid.length;
    if (!isRoot) return tree.add(`${TABLESPACES_DIR}/${stored.slice(TBLSPC.length + 1)}`, entry);
    if (!isDirectory) tree.addRow(row, entry);
  }
}

/** The mode of a data directory made for the tree: that of the first directory in it. */
export function rootModeOf(lists: FileLists): number {
  let first: string | undefined;
  let mode = PRIVATE;
  for (let index = 0; index < lists.paths.count; index++) {
    const row = index as Row;
    if ((lists.modes[row]! & TYPE.mask) !== TYPE.directory || lists.paths.external(row) > 0) {
      continue;
    }
    const path = lists.paths.path(row);
    if (first !== undefined && first < path) continue;
    first = path;
    mode = restoredMode(lists, row) & MODE_BITS;
  }
  return mode;
}

function isPath(paths: PathList, row: Row, path: Uint8Array): boolean {
  return paths.end(row) - paths.start(row) === path.length && paths.startsWith(row, path);
}

function isAtOrBelow(paths: PathList, row: Row, directory: Uint8Array): boolean {
  if (!paths.startsWith(row, directory)) return false;
  const end = paths.start(row) + directory.length;
  return end === paths.end(row) || paths.columns.bytes[end] === SLASH;
}

/** The oid of the mapped tablespace that a path is in, or is the root of. */
function tablespaceOf(
  path: string,
  tablespaces: ReadonlyMap<ByteString, ByteString>,
): string | undefined {
  if (!path.startsWith(`${TBLSPC}/`)) return undefined;
  const end = path.indexOf("/", TBLSPC.length + 1);
  const name = path.slice(TBLSPC.length + 1, end < 0 ? undefined : end);
  return tablespaces.has(name as ByteString) ? name : undefined;
}
