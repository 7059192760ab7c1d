/**
 * From dest's file list to the entries of the tree: what a restore would write, and where.
 *
 * @module
 */

import { PbkfsError } from "../errors.ts";
import { type ByteString, printable } from "../ffi/bytes.ts";
import type { BaseEntry } from "./base_tree.ts";
import type { FileLists } from "./file_lists.ts";
import type { Row } from "./path_list.ts";
import { AUTO_CONF } from "./plain_files.ts";
import { storeDamaged } from "./store_error.ts";

/** An entry, and the line of dest's list that it comes from; -1 for what we add. */
export interface TreeNode {
  readonly entry: BaseEntry;
  readonly row: Row | -1;
}

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

/** Where tablespaces lie inside the tree. */
export const TABLESPACES_DIR = "pbkfs_tablespaces";
/** Where external directories lie inside the tree. */
export const EXTERNAL_DIR = "external_directories";

const CONTROL = "global/pg_control";

const OMITTED = new Set(["tablespace_map", "database_map"]);
const TYPE_BITS = 0o170000;
const DIRECTORY = 0o040000;
const MODE_BITS = 0o7777;
const PRIVATE = 0o700;

/**
 * @returns The tree, sorted by path, bytewise; every directory that something is in, is there.
 * @throws {PbkfsError} `StoreDamaged` if two entries get one place, or one is inside a file.
 */
export function listTree(lists: FileLists, options: TreeListOptions): TreeNode[] {
  const nodes: TreeNode[] = [];
  const add = (path: string, entry: Omit<BaseEntry, "path">, row: Row | -1 = -1) =>
    nodes.push({ entry: { path: path as ByteString, ...entry }, row });
  const addDirectory = (path: string, mode = PRIVATE) =>
    add(path, { kind: "directory", mode, isDataFile: false });

  let tablespaceMode = PRIVATE;
  let hasControl = false;
  const linked = new Set<string>();
  for (let index = 0; index < lists.paths.count; index++) {
    const row = index as Row;
    const stored = lists.paths.path(row);
    const number = lists.paths.external(row);
    const isDirectory = (lists.modes[row]! & TYPE_BITS) === DIRECTORY;
    const mode = lists.modes[row]! & MODE_BITS;
    let path: string = stored;
    if (number > 0) {
      if (number > options.externalCount) {
        throw storeDamaged(
          `"${printable(stored)}" belongs to external directory ${number}, but backup.control ` +
            `names ${options.externalCount}`,
        );
      }
      path = `${EXTERNAL_DIR}/externaldir${number}/${stored}`;
    } else {
      if (OMITTED.has(stored)) continue;
      if (options.walLink !== undefined && isAtOrBelow(stored, "pg_wal")) continue;
      if (stored === "pg_tblspc" && options.inheritsMode) tablespaceMode = mode;
      const oid = tablespaceOf(stored, options.tablespaces);
      if (oid !== undefined) {
        linked.add(oid);
        // The link takes the place of the directory. A file there would be in its way.
        const isRoot = stored.length === "pg_tblspc/".length + oid.length;
        if (isRoot && isDirectory) continue;
        if (!isRoot) path = `${TABLESPACES_DIR}/${stored.slice("pg_tblspc/".length)}`;
      }
    }
    if (isDirectory) {
      add(path, { kind: "directory", mode, isDataFile: false }, row);
      continue;
    }
    hasControl ||= path === CONTROL;
    const ownMode = path === CONTROL ? 0o644 : path === AUTO_CONF ? 0o600 : mode;
    add(path, { kind: "file", mode: ownMode, isDataFile: lists.isPaged(row) }, row);
  }
  if (!hasControl) throw storeDamaged(`The backup has no ${CONTROL}`);

  if (!nodes.some((node) => node.entry.path === AUTO_CONF)) {
    add(AUTO_CONF, { kind: "file", mode: 0o600, isDataFile: false });
  }
  if (options.walLink !== undefined) {
    add("pg_wal", { kind: "symlink", mode: 0o777, isDataFile: false, target: options.walLink });
  }
  for (const oid of linked) {
    const target = `${options.mountPath}/${TABLESPACES_DIR}/${oid}` as ByteString;
    add(`pg_tblspc/${oid}`, { kind: "symlink", mode: 0o777, isDataFile: false, target });
    addDirectory(`${TABLESPACES_DIR}/${oid}`, tablespaceMode);
  }
  for (let number = 1; number <= options.externalCount; number++) {
    addDirectory(`${EXTERNAL_DIR}/externaldir${number}`);
  }
  return completed(nodes);
}

/** The mode of a data directory made for the tree: that of the first directory in it. */
export function rootModeOf(lists: FileLists): number {
  let first: string | undefined;
  let mode = PRIVATE;
  for (let index = 0; index < lists.paths.count; index++) {
    const row = index as Row;
    if ((lists.modes[row]! & TYPE_BITS) !== DIRECTORY || lists.paths.external(row) > 0) continue;
    const path = lists.paths.path(row);
    if (first !== undefined && first < path) continue;
    first = path;
    mode = lists.modes[row]! & MODE_BITS;
  }
  return mode;
}

function isAtOrBelow(path: string, directory: string): boolean {
  return path === directory || path.startsWith(`${directory}/`);
}

/** The oid of the mapped tablespace that a path is in, or is the root of. */
function tablespaceOf(
  path: string,
  tablespaces: ReadonlyMap<ByteString, ByteString>,
): string | undefined {
  if (!path.startsWith("pg_tblspc/")) return undefined;
  const end = path.indexOf("/", "pg_tblspc/".length);
  const name = path.slice("pg_tblspc/".length, end < 0 ? undefined : end);
  return tablespaces.has(name as ByteString) ? name : undefined;
}

/** Sorted, with the directories that are missing, and without directories named twice. */
function completed(nodes: TreeNode[]): TreeNode[] {
  nodes.sort(byPath);
  const all: TreeNode[] = [];
  const directories = new Set<string>([""]);
  let isSorted = true;
  let lastParent = "";
  for (const node of nodes) {
    const { path, kind } = node.entry;
    const last = all.at(-1)?.entry;
    if (last?.path === path) {
      if (last.kind === "directory" && kind === "directory") continue;
      throw storeDamaged(`Two entries of the file list become "${printable(path)}"`);
    }
    const parent = path.slice(0, Math.max(0, path.lastIndexOf("/")));
    if (parent !== lastParent) {
      for (const missing of missingParents(parent, directories)) {
        directories.add(missing);
        all.push({
          entry: {
            path: missing as ByteString,
            kind: "directory",
            mode: PRIVATE,
            isDataFile: false,
          },
          row: -1,
        });
        isSorted = false;
      }
      lastParent = parent;
    }
    if (kind === "directory") directories.add(path);
    all.push(node);
  }
  if (!isSorted) all.sort(byPath);
  checkParents(all);
  return all;
}

function missingParents(parent: string, directories: ReadonlySet<string>): string[] {
  const missing: string[] = [];
  for (let path = parent; !directories.has(path);) {
    missing.unshift(path);
    path = path.slice(0, Math.max(0, path.lastIndexOf("/")));
  }
  return missing;
}

/** A file with entries below would have got a directory of the same name beside it. */
function checkParents(nodes: readonly TreeNode[]): void {
  for (let at = 1; at < nodes.length; at++) {
    const { path } = nodes[at]!.entry;
    if (nodes[at - 1]!.entry.path !== path) continue;
    throw new PbkfsError("StoreDamaged", {
      what: `The file list has "${printable(path)}" and entries inside it, but it is no directory`,
      todo: "Run pg_probackup validate, then choose a backup that it calls OK.",
    });
  }
}

function byPath(a: TreeNode, b: TreeNode): number {
  return a.entry.path < b.entry.path ? -1 : a.entry.path > b.entry.path ? 1 : 0;
}
