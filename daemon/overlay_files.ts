/**
 * Small files of the tree that is served, for the thread that serves it: through the file system
 * itself, not through the mount.
 *
 * @module
 */

import { byteStringOf, printable } from "../ffi/bytes.ts";
import { TYPE } from "../ffi/file_type.ts";
import { allocate } from "../ffi/memory.ts";
import { type Attributes, type Caller, type Ino, ROOT_INO } from "../fuse/mod.ts";
import type { Overlay, OverlayCounters } from "../overlay/mod.ts";
import type { ConfigFiles } from "../postgres/mod.ts";

/** Longer files are not read: no configuration is. */
export const SIZE_BYTES_MAX = 1 << 20;

/** Paths are relative to the root, in UTF-8. What a symbolic link leads to is not looked at. */
export class OverlayFiles implements ConfigFiles {
  /** @param owner Of files that are made. */
  constructor(private readonly overlay: Overlay, private readonly owner: Caller) {}

  read(path: string): { readonly text: string } | "none" | "unreadable" {
    const bytes = this.readBytes(path);
    return typeof bytes === "string" ? bytes : { text: new TextDecoder().decode(bytes) };
  }

  /** The same for a file that is no text. */
  readBytes(path: string): Uint8Array | "none" | "unreadable" {
    try {
      const file = this.#find(path);
      if (file === undefined) return "none";
      if (!isFile(file) || file.sizeBytes > SIZE_BYTES_MAX) return "unreadable";
      return this.#bytes(file);
    } catch {
      return "unreadable"; // Damaged: who reads it for its own sake is told.
    }
  }

  list(path: string): string[] | undefined {
    const directory = this.#find(path);
    if (directory === undefined || (directory.mode & TYPE.mask) !== TYPE.directory) {
      return undefined;
    }
    return [...this.overlay.list(directory.ino, 0)].map(({ name }) => printable(name))
      .filter((name) => name !== "." && name !== "..");
  }

  /** Appends to a file as one write. What it held stays where it is, whatever happens. */
  append(path: string, text: string): void {
    if (text === "") return;
    const file = this.#find(path) ?? this.#make(path, 0o600);
    this.#write(file.ino, file.sizeBytes, text);
  }

  /** Gives a file in the root this content, as a whole, if it has another one. */
  put(path: string, text: string, mode: number): void {
    const old = this.read(path);
    if (typeof old === "object" && old.text === text) return;
    const part = `${path}.new`;
    const from = { parent: ROOT_INO, name: byteStringOf(part) };
    if (this.#find(part) !== undefined) this.overlay.unlink(from);
    const { ino } = this.#make(part, mode);
    try {
      this.#write(ino, 0, text);
      this.overlay.rename(from, { parent: ROOT_INO, name: byteStringOf(path) }, 0);
    } catch (error) {
      this.overlay.unlink(from);
      throw error;
    }
  }

  /** Permission bits; undefined if it is no file. */
  mode(path: string): number | undefined {
    const file = this.#find(path);
    return file === undefined || !isFile(file) ? undefined : file.mode & 0o777;
  }

  #find(path: string): Attributes | undefined {
    let found = this.overlay.getAttributes(ROOT_INO);
    for (const name of path.split("/").filter((part) => part !== "")) {
      if ((found.mode & TYPE.mask) !== TYPE.directory) return undefined;
      const next = this.overlay.lookup({ parent: found.ino, name: byteStringOf(name) });
      if (next === undefined) return undefined;
      this.overlay.forget(next.ino, 1);
      found = next;
    }
    return found;
  }

  #make(path: string, mode: number): Attributes {
    const place = { parent: ROOT_INO, name: byteStringOf(path) };
    const node = { mode: TYPE.file | mode, rdev: 0, caller: this.owner };
    const made = this.overlay.makeNode(place, node);
    this.overlay.forget(made.ino, 1);
    return made;
  }

  #bytes({ ino, sizeBytes }: Attributes): Uint8Array {
    if (sizeBytes === 0) return new Uint8Array();
    const buffer = allocate(sizeBytes);
    const done = this.overlay.read(ino, { offsetBytes: 0, sizeBytes }, buffer);
    return buffer.bytes.subarray(0, done);
  }

  #write(ino: Ino, offsetBytes: number, text: string): void {
    const bytes = new TextEncoder().encode(text);
    const buffer = allocate(bytes.length);
    buffer.bytes.set(bytes);
    this.overlay.write(ino, buffer.address, { offsetBytes, sizeBytes: bytes.length });
    this.overlay.setAttributes(ino, { modified: "now" });
  }
}

function isFile({ mode }: Attributes): boolean {
  return (mode & TYPE.mask) === TYPE.file;
}

/** Does something for ourselves, which is not to be counted: counted is what the kernel asks for. */
export function uncounted<T>(counters: OverlayCounters, body: () => T): T {
  const { reads, readBytes, writes, writtenBytes } = counters.snapshot();
  try {
    return body();
  } finally {
    counters.takeOver({ reads, readBytes, writes, writtenBytes });
  }
}
