/**
 * A disk that may lose power: its tree as it is, and as it would be found afterwards.
 *
 * What a sync promises is what ext4 and XFS promise: a file's bytes and length, and the names that
 * lead to it; of a directory, its names. Of what nobody has synced, the names of one directory
 * become durable in their order, those of different directories independently; a rename is one
 * change of both its directories. That is less than ext4 does, whose journal keeps the order of all
 * names, and as much as POSIX programs count on. Modes and owners are durable at once.
 *
 * @module
 */

import type { Random } from "../random.ts";
import { type Bytes, DiskFile } from "./disk_file.ts";

/** What a node is. */
export type DiskBody =
  | { readonly kind: "file"; readonly file: DiskFile }
  | { readonly kind: "directory"; readonly directory: DiskDirectory }
  | { readonly kind: "symlink"; readonly target: string }
  | { readonly kind: "special" };

/** A file, directory or other node. */
export interface DiskNode {
  readonly ino: number;
  readonly body: DiskBody;
  mode: number;
  uid: number;
  gid: number;
  links: number;
  /** Milliseconds since 1970. */
  modifiedMs: number;
  /** Changes of names that concern it and are not durable. */
  pending: NameChange[];
}

/** One change of names, in one directory or two. All of it becomes durable at once. */
export interface NameChange {
  readonly names: readonly {
    readonly directory: DiskNode;
    readonly name: string;
    readonly node: DiskNode | undefined;
  }[];
  isDurable: boolean;
}

/** The names of a directory. */
export class DiskDirectory {
  parent: DiskNode | undefined;
  readonly now = new Map<string, DiskNode>();
  readonly durable = new Map<string, DiskNode>();
  /** In order. */
  pending: NameChange[] = [];
}

/** What is found after a power cut. */
export interface LeftNode {
  readonly node: DiskNode;
  readonly bytes?: Bytes;
  readonly names?: ReadonlyMap<string, LeftNode>;
}

/** The tree. */
export class Disk {
  readonly root: DiskNode;
  readonly #nodes = new Map<number, DiskNode>();
  #nextIno = 1;

  constructor() {
    const directory = new DiskDirectory();
    this.root = this.make({ kind: "directory", directory }, { mode: 0o40755, uid: 0, gid: 0 });
    directory.parent = this.root;
  }

  node(ino: number): DiskNode | undefined {
    return this.#nodes.get(ino);
  }

  /** A node without a name. */
  make(body: DiskBody, of: { mode: number; uid: number; gid: number }): DiskNode {
    const links = body.kind === "directory" ? 2 : 1;
    const node: DiskNode = {
      ino: this.#nextIno++,
      body,
      links,
      modifiedMs: Date.now(),
      pending: [],
      mode: of.mode,
      uid: of.uid,
      gid: of.gid,
    };
    this.#nodes.set(node.ino, node);
    return node;
  }

  /** Sets and removes names, as one change. */
  change(names: NameChange["names"]): NameChange {
    const change: NameChange = { names, isDurable: false };
    for (const { directory, name, node } of names) {
      const body = directoryOf(directory);
      if (node === undefined) body.now.delete(name);
      else body.now.set(name, node);
      if (node?.body.kind === "directory") node.body.directory.parent = directory;
      node?.pending.push(change);
      body.pending.push(change);
      directory.modifiedMs = Date.now();
    }
    return change;
  }

  /** A node's bytes or names, and the names that lead to it, are on disk now. */
  sync(node: DiskNode): void {
    const { body } = node;
    if (body.kind === "file") body.file.sync();
    if (body.kind === "directory") this.#persist(node, body.directory.pending.at(-1));
    for (const change of node.pending) {
      for (const { directory } of change.names) {
        this.#persist(directory, change);
        if (directory !== node) this.#syncPath(directory);
      }
    }
    node.pending = [];
    if (body.kind === "directory" && node !== this.root) this.#syncPath(node);
  }

  /** The power goes: what is found afterwards. */
  cut(random: Random): LeftNode {
    const keeps = random.pick([0, 0.05, 0.5, 0.9, 1]);
    const tears = random.pick([0, 0, 0.2]);
    for (const node of this.#nodes.values()) {
      if (node.body.kind !== "directory") continue;
      const { pending } = node.body.directory;
      const count = random.pick([0, pending.length, random.between(0, pending.length)]);
      if (count > 0) this.#persist(node, pending[count - 1]);
    }
    const left = new Map<DiskNode, LeftNode>();
    const leave = (node: DiskNode): LeftNode => {
      const known = left.get(node); // A file may have several names.
      if (known !== undefined) return known;
      const { body } = node;
      const made: LeftNode = body.kind === "file"
        ? { node, bytes: body.file.cut({ random, keeps, tears }) }
        : body.kind === "directory"
        ? { node, names: new Map([...body.directory.durable].map(([k, n]) => [k, leave(n)])) }
        : { node };
      left.set(node, made);
      return made;
    };
    return leave(this.root);
  }

  /** Makes changes of a directory durable, up to one of them. */
  #persist(directory: DiskNode, last: NameChange | undefined): void {
    if (last === undefined || last.isDurable) return;
    const body = directoryOf(directory);
    const count = body.pending.indexOf(last) + 1;
    for (const change of body.pending.splice(0, count)) {
      if (change.isDurable) continue;
      change.isDurable = true;
      for (const { directory: other } of change.names) {
        if (other === directory) continue;
        const { pending } = directoryOf(other);
        // What came before it there comes first.
        this.#persist(other, pending[pending.indexOf(change) - 1]);
        directoryOf(other).pending = pending.filter((one) => one !== change);
      }
      for (const { directory: of, name, node } of change.names) {
        if (node === undefined) directoryOf(of).durable.delete(name);
        else directoryOf(of).durable.set(name, node);
      }
    }
  }

  /** The names that lead to a directory are on disk now. */
  #syncPath(node: DiskNode): void {
    for (let at = node; at !== this.root; at = directoryOf(at).parent as DiskNode) {
      const parent = directoryOf(at).parent as DiskNode;
      const naming = directoryOf(parent).pending.findLast(({ names }) =>
        names.some((change) => change.directory === parent && change.node === at)
      );
      this.#persist(parent, naming);
    }
  }
}

/** The names of a directory node. */
export function directoryOf({ body }: DiskNode): DiskDirectory {
  if (body.kind !== "directory") throw new TypeError("This is not a directory");
  return body.directory;
}
