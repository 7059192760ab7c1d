/**
 * The listing of a data directory and its tablespaces.
 *
 * @module
 */

import { PbkfsError } from "../../errors.ts";
import { TYPE } from "../../ffi/file_type.ts";
import { crc32c } from "../tree/crc32c.ts";
import { type FileOwner, StoreDirectory } from "../tree/store_directory.ts";
import { catalogUnreadable, isMissing } from "../tree/store_error.ts";
import { TABLESPACES_DIR } from "../tree/tablespaces_dir.ts";
import { isEmptied, isLeftOut, WAL_DIRECTORY } from "./left_out.ts";

/** A file or directory, with the place that it gets in the tree. */
export interface WalkedEntry {
  readonly path: string;
  /** st_mode. */
  readonly mode: number;
  /** 0 for a directory. */
  readonly sizeBytes: number;
  /** In milliseconds since 1970; 0 for a directory, which changes with what is left out. */
  readonly modifiedAt: number;
}

/** A directory that was walked. */
export interface Walked {
  readonly entries: readonly WalkedEntry[];
  /** Where the tablespaces lie, by oid: absolute, without symbolic links. */
  readonly tablespaces: ReadonlyMap<string, string>;
}

const TBLSPC = "pg_tblspc";

/**
 * Lists all that a copy of the directory has. Nothing is opened but directories.
 *
 * @param dirPath Absolute, without symbolic links.
 * @throws {PbkfsError} `BackupNotRestorable` at a link that a clone could write through,
 * `CatalogUnreadable`, `PermissionDenied`.
 */
export function walk(dirPath: string): Walked {
  const walker = new Walker();
  try {
    using root = StoreDirectory.open(dirPath);
    walker.add(root, "", "");
    for (const oid of walker.links) {
      walker.addTablespace(`${dirPath}/${TBLSPC}/${oid}`, oid, root.owner);
    }
  } catch (error) {
    if (error instanceof PbkfsError && error.code !== "Io") throw error;
    throw catalogUnreadable(dirPath, error);
  }
  return { entries: walker.entries, tablespaces: walker.tablespaces };
}

/** A number that is another one if a file is another one, or was changed; not if all is moved. */
export function fingerprintOf({ entries }: Walked): number {
  const lines = entries.map(({ path, mode, sizeBytes, modifiedAt }) =>
    `${path}\0${mode}\0${sizeBytes}\0${modifiedAt}\n`
  );
  return crc32c(new TextEncoder().encode(lines.sort().join("")));
}

class Walker {
  readonly entries: WalkedEntry[] = [];
  readonly tablespaces = new Map<string, string>();
  /** Oids of tablespaces that lie elsewhere. */
  readonly links: string[] = [];

  /**
   * @param from Of the directory, in the data directory, with a slash at its end.
   * @param to The same in the tree.
   */
  add(directory: StoreDirectory, from: string, to: string): void {
    for (const { name } of directory.list()) {
      const [path, treePath] = [from + name, to + name];
      if (isLeftOut(path)) continue;
      if (name.includes("\ufffd")) throw refused(path, "has a name that is not UTF-8");
      const { mode, sizeBytes, modifiedAt } = directory.look(name);
      const type = mode & TYPE.mask;
      if (type === TYPE.symlink) this.#addLink(path);
      else if (type === TYPE.directory) {
        this.#addDirectory(directory, name, { path, treePath, mode });
      } else if (type === TYPE.file) {
        this.entries.push({ path: treePath, mode, sizeBytes, modifiedAt });
      }
    }
  }

  addTablespace(path: string, oid: string, reader: FileOwner): void {
    using root = StoreDirectory.open(path, { mayBeLink: true, reader });
    this.tablespaces.set(oid, root.path);
    const to = `${TABLESPACES_DIR}/${oid}`;
    this.entries.push({ path: to, mode: TYPE.directory | root.mode, ...NO_CONTENT });
    for (const { name } of root.list()) {
      // What is not a server's does not belong to the tablespace.
      if (!name.startsWith("PG_")) continue;
      const { mode } = root.look(name);
      const place = { path: `${TBLSPC}/${oid}/${name}`, treePath: `${to}/${name}`, mode };
      if ((mode & TYPE.mask) === TYPE.directory) this.#addDirectory(root, name, place);
    }
  }

  #addDirectory(
    parent: StoreDirectory,
    name: string,
    { path, treePath, mode }: { path: string; treePath: string; mode: number },
  ): void {
    this.entries.push({ path: treePath, mode, ...NO_CONTENT });
    if (isEmptied(path)) return;
    using directory = parent.directory(name);
    this.add(directory, `${path}/`, `${treePath}/`);
  }

  #addLink(path: string): void {
    const [directory, oid, ...more] = path.split("/");
    if (directory === TBLSPC && oid !== undefined && more.length === 0 && /^\d+$/.test(oid)) {
      this.links.push(oid);
    } else if (path === WAL_DIRECTORY) {
      this.entries.push({ path, mode: TYPE.directory | 0o700, ...NO_CONTENT });
    } else {throw refused(
        path,
        "is a symbolic link: what a clone writes there would be the original's",
      );}
  }
}

const NO_CONTENT = { sizeBytes: 0, modifiedAt: 0 } as const;

function refused(path: string, why: string): PbkfsError {
  return new PbkfsError("BackupNotRestorable", {
    what: `"${path}" in the data directory ${why}`,
    todo: "Make a copy without it, or with what it leads to, and mount that.",
  });
}

/** What is known of the directory itself. */
export function rootOf(dirPath: string): { readonly owner: FileOwner; readonly mode: number } {
  try {
    using root = StoreDirectory.open(dirPath);
    return { owner: { uid: root.owner.uid, gid: root.owner.gid }, mode: root.mode };
  } catch (error) {
    throw catalogUnreadable(dirPath, error);
  }
}

/**
 * Reads a small file of the directory whole.
 *
 * @returns undefined if there is none.
 * @throws {PbkfsError} `CatalogUnreadable`, `PermissionDenied`.
 */
export function readSmall(dirPath: string, path: string, bytesMax: number): Uint8Array | undefined {
  const slash = path.lastIndexOf("/");
  try {
    using directory = StoreDirectory.open(
      slash < 0 ? dirPath : `${dirPath}/${path.slice(0, slash)}`,
    );
    return directory.read(path.slice(slash + 1), bytesMax);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw catalogUnreadable(`${dirPath}/${path}`, error);
  }
}
