/**
 * What a file system is, in a few lines: what an overlay is compared with.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { ERRNO } from "../../errors.ts";
import { SECTOR_SIZE_BYTES } from "./fragile_disk.ts";
import { type FakeEntry } from "./fake_base.ts";

/** The name of an errno. */
export type ErrnoName = keyof typeof ERRNO;

/** A refusal by the model. */
export class Refused extends Error {
  readonly errno: number;

  constructor(name: ErrnoName) {
    super(name);
    this.errno = ERRNO[name];
  }
}

/** Attributes that a test can set. */
export interface NodeStatus {
  mode: number;
  uid: number;
  gid: number;
  links: number;
  attributes: Map<string, Uint8Array>;
}

/** A file, directory or link. */
export class ModelNode {
  readonly kind: "file" | "directory" | "symlink";
  readonly target: string;
  status: NodeStatus;
  bytes: Uint8Array = new Uint8Array();
  /** What a crash may bring: what was synced, and everything that came after. */
  versions: Uint8Array[] = [];
  entries = new Map<string, ModelNode>();
  /** Time of modification in seconds, if a test has set it and nothing has changed it since. */
  modified: number | undefined;

  constructor(kind: ModelNode["kind"], mode: number, target = "") {
    this.kind = kind;
    this.target = target;
    const links = kind === "directory" ? 2 : 1;
    this.status = { mode, uid: 0, gid: 0, links, attributes: new Map() };
    this.versions = [this.bytes];
  }

  /** Sets the contents. */
  become(bytes: Uint8Array): void {
    this.bytes = bytes;
    this.versions.push(bytes);
    this.modified = undefined;
  }

  synced(): void {
    this.versions = [this.bytes];
  }
}

/** What the store has been told: names and status, not bytes. */
interface Committed {
  readonly status: NodeStatus;
  readonly entries: Map<string, ModelNode>;
}

/** Where a name is. */
export interface ModelPlace {
  readonly parent: ModelNode;
  readonly name: string;
}

/** A tree of nodes. */
export class Model {
  root = new ModelNode("directory", 0o700);
  #committed = new Map<ModelNode, Committed>();

  constructor(base: Readonly<Record<string, FakeEntry>>) {
    for (const path of Object.keys(base).sort()) {
      const entry = base[path] as FakeEntry;
      const place = this.place(path);
      const mode = entry.kind === "directory" ? 0o700 : entry.kind === "symlink" ? 0o777 : 0o600;
      const target = entry.kind === "symlink" ? entry.target : "";
      const node = new ModelNode(entry.kind, mode, target);
      if (entry.kind === "file") node.bytes = entry.bytes;
      node.synced();
      this.#enter(place, node);
    }
    this.commit();
  }

  /** @throws {Refused} ENOENT or ENOTDIR. */
  find(path: string): ModelNode {
    let node = this.root;
    for (const name of path.split("/").filter((part) => part !== "")) {
      if (node.kind !== "directory") throw new Refused("ENOTDIR");
      const next = node.entries.get(name);
      if (next === undefined) throw new Refused("ENOENT");
      node = next;
    }
    return node;
  }

  place(path: string): ModelPlace {
    const slash = path.lastIndexOf("/");
    const parent = this.find(path.slice(0, Math.max(0, slash)));
    if (parent.kind !== "directory") throw new Refused("ENOTDIR");
    return { parent, name: path.slice(slash + 1) };
  }

  make(path: string, node: ModelNode): void {
    const place = this.place(path);
    if (place.parent.entries.has(place.name)) throw new Refused("EEXIST");
    const { mode, gid } = place.parent.status;
    if ((mode & 0o2000) !== 0) {
      node.status.gid = gid;
      if (node.kind === "directory") node.status.mode |= 0o2000;
    }
    this.#enter(place, node);
  }

  link(from: string, to: string): void {
    const node = this.find(from);
    const place = this.place(to);
    if (node.kind === "directory") throw new Refused("EPERM");
    if (place.parent.entries.has(place.name)) throw new Refused("EEXIST");
    this.#enter(place, node);
    node.status.links++;
  }

  unlink(path: string): void {
    const { parent, name } = this.place(path);
    const node = parent.entries.get(name);
    if (node === undefined) throw new Refused("ENOENT");
    if (node.kind === "directory") throw new Refused("EISDIR");
    parent.entries.delete(name);
    parent.modified = undefined;
    node.status.links--;
  }

  removeDirectory(path: string): void {
    const { parent, name } = this.place(path);
    const node = parent.entries.get(name);
    if (node === undefined) throw new Refused("ENOENT");
    if (node.kind !== "directory") throw new Refused("ENOTDIR");
    if (node.entries.size > 0) throw new Refused("ENOTEMPTY");
    this.#leave({ parent, name }, node);
  }

  rename(fromPath: string, toPath: string, how: "replace" | "noReplace" | "exchange"): void {
    const from = this.place(fromPath);
    const to = this.place(toPath);
    const node = from.parent.entries.get(from.name);
    const other = to.parent.entries.get(to.name);
    if (node === undefined) throw new Refused("ENOENT");
    if (isBelow(to.parent, node)) throw new Refused("EINVAL");
    if (how === "exchange") {
      if (other === undefined) throw new Refused("ENOENT");
      if (isBelow(from.parent, other)) throw new Refused("EINVAL");
      if (other === node) return;
      this.#leave(from, node);
      this.#leave(to, other);
      this.#enter(to, node);
      this.#enter(from, other);
      return;
    }
    if (other !== undefined) {
      if (how === "noReplace") throw new Refused("EEXIST");
      if (other === node) return;
      if (node.kind === "directory") this.removeDirectory(toPath);
      else this.unlink(toPath);
    }
    this.#leave(from, node);
    this.#enter(to, node);
  }

  /** All nodes that can be reached, by path; the root is "". */
  *walk(path = "", node = this.root): Generator<[string, ModelNode]> {
    yield [path, node];
    for (const [name, child] of node.entries) {
      yield* this.walk(path === "" ? name : `${path}/${name}`, child);
    }
  }

  /** Names and status are in the store now. */
  commit(): void {
    this.#committed = new Map([...this.walk()].map(([, node]) => [node, {
      status: { ...node.status, attributes: new Map(node.status.attributes) },
      entries: new Map(node.entries),
    }]));
  }

  /** All is on disk. */
  flush(): void {
    this.commit();
    for (const [, node] of this.walk()) node.synced();
  }

  /** Names and status are as the store has them. */
  crash(): void {
    for (const [node, { status, entries }] of this.#committed) {
      node.status = status;
      node.entries = entries;
      node.modified = undefined;
    }
    this.commit();
  }

  #enter({ parent, name }: ModelPlace, node: ModelNode): void {
    parent.entries.set(name, node);
    parent.modified = undefined;
    if (node.kind === "directory") parent.status.links++;
  }

  #leave({ parent, name }: ModelPlace, node: ModelNode): void {
    parent.entries.delete(name);
    parent.modified = undefined;
    if (node.kind === "directory") parent.status.links--;
  }
}

function isBelow(node: ModelNode, top: ModelNode): boolean {
  return node === top || [...top.entries.values()].some((child) => isBelow(node, child));
}

/**
 * Whether a file may be like this after a crash.
 *
 * @returns undefined if so, or what is wrong.
 */
export function wrongAfterCrash(
  actual: Uint8Array,
  versions: readonly Uint8Array[],
): string | undefined {
  if (!versions.some(({ length }) => length === actual.length)) {
    return `size ${actual.length}, not one of ${versions.map(({ length }) => length)}`;
  }
  for (let at = 0; at < actual.length; at += SECTOR_SIZE_BYTES) {
    const sector = actual.subarray(at, at + SECTOR_SIZE_BYTES);
    if (!versions.some((version) => isAt(sector, version, at))) {
      return `the bytes at ${at} were never there`;
    }
  }
}

/** Whether `bytes` are what `whole` holds at `at`; zeros past its end. */
function isAt(bytes: Uint8Array, whole: Uint8Array, at: number): boolean {
  const part = new Uint8Array(bytes.length);
  part.set(whole.subarray(at, at + bytes.length));
  return same(bytes, part);
}

/** Whether two arrays hold the same. */
export function same(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

/** Compares bytes, and tells the first place where they differ. */
export function assertBytes(actual: Uint8Array, expected: Uint8Array, what = "bytes"): void {
  if (Buffer.compare(actual, expected) === 0) return;
  const at = actual.findIndex((byte, index) => byte !== expected[index]);
  const sizes = `${actual.length} and ${expected.length} bytes`;
  assert.fail(`${what}: ${actual[at]} at ${at}, not ${expected[at]}; ${sizes}`);
}
