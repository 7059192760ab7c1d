/**
 * Paths of inodes, for messages: before there is an overlay, or without one.
 *
 * @module
 */

import type { BaseTree, EntryIndex } from "../../backup/mod.ts";
import { type ByteString, printable } from "../../ffi/bytes.ts";
import { type Ino, ROOT_INO } from "../../fuse/mod.ts";
import type { StoredState } from "../store/stored_state.ts";
import { FIRST_BASE_INO } from "./inode_table.ts";

/** A part of the base that tells names. */
export type NamedBase = Pick<BaseTree, "count" | "entry" | "parent">;

/** A path of each inode, relative to the root; of a file with several names, any of them. */
export class PathsOf {
  readonly #base: NamedBase;
  readonly #places = new Map<Ino, { readonly parent: Ino; readonly name: string }>();

  constructor(base: NamedBase, { names }: Pick<StoredState, "names">) {
    this.#base = base;
    for (const { parent, name, to } of names) {
      if (typeof to === "number") this.#places.set(to, { parent, name: printable(name) });
    }
  }

  /** Of one that has no name, its number tells. */
  path(ino: Ino): string {
    const parts: string[] = [];
    let at = ino;
    // Names that contradict each other could lead in a circle.
    for (let depth = 0; at !== ROOT_INO && depth < 1000; depth++) {
      const place = this.#places.get(at) ?? this.#inBase(at);
      if (place === undefined) return `inode ${ino}`;
      parts.unshift(place.name);
      at = place.parent;
    }
    return parts.join("/");
  }

  #inBase(ino: Ino): { readonly parent: Ino; readonly name: string } | undefined {
    const entry = ino - FIRST_BASE_INO as EntryIndex;
    if (entry < 0 || entry >= this.#base.count) return undefined;
    const parent = this.#base.parent(entry);
    const path = this.#base.entry(entry).path;
    return {
      parent: (parent === undefined ? ROOT_INO : parent + FIRST_BASE_INO) as Ino,
      name: printable(path.slice(path.lastIndexOf("/") + 1) as ByteString),
    };
  }
}
