/**
 * Where a behaviour is tried out: a directory of its own, and, on request, a directory that was
 * there before, with files that nobody has touched yet.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { ERRNO, errnoName } from "../../errors.ts";
import { type ByteString, byteStringOf } from "../../ffi/bytes.ts";
import { close, fsync, open, PosixError } from "../support/posix.ts";
import { commandAs, type Identity } from "../support/users.ts";

/** Flags of open(2). */
export const O = {
  read: 0,
  write: 1,
  readWrite: 2,
  create: 0o100,
  exclusive: 0o200,
  truncate: 0o1000,
  append: 0o2000,
  /** O_TMPFILE, which includes O_DIRECTORY. */
  temporary: Deno.build.arch === "aarch64" ? 0o20040000 : 0o20200000,
} as const;

/** One place. */
export class Place {
  /** An empty directory, which others may enter. */
  readonly dirPath: string;
  readonly #bases: string[];
  /** Who is not privileged; undefined if we are not either. */
  readonly user: Identity | undefined;

  /** @param bases Directories that were there before; each is given away once. */
  constructor(dirPath: string, bases: string[], user: Identity | undefined) {
    this.dirPath = dirPath;
    this.#bases = bases;
    this.user = user;
    Deno.mkdirSync(dirPath);
    Deno.chmodSync(dirPath, 0o755);
  }

  /** A path in the directory. */
  path(name: string): string {
    return `${this.dirPath}/${name}`;
  }

  /** The same, as the system calls want it. */
  bytes(name: string): ByteString {
    return byteStringOf(this.path(name));
  }

  /** Writes a file, and tells its path. */
  file(name: string, content: string | Uint8Array = name): string {
    const path = this.path(name);
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    Deno.writeFileSync(path, bytes, { mode: 0o644 });
    return path;
  }

  text(name: string): string {
    return Deno.readTextFileSync(this.path(name));
  }

  names(name = ""): string[] {
    return [...Deno.readDirSync(this.path(name))].map((entry) => entry.name).sort();
  }

  /** A directory that was there before, with at least a large file and a small one. */
  takeBase(): { readonly dirPath: string; readonly large: string; readonly small: string } {
    const dirPath = this.#bases.shift();
    assert(dirPath !== undefined, "there is no untouched directory left");
    const files = [...Deno.readDirSync(dirPath)].filter((entry) => entry.isFile)
      .map(({ name }) => ({ name, size: Deno.lstatSync(`${dirPath}/${name}`).size }))
      .sort((a, b) => b.size - a.size || (a.name < b.name ? -1 : 1));
    const [first] = files;
    const last = files.findLast(({ size }) => size > 0);
    assert(first !== undefined && last !== undefined && first !== last && first.size > 16_384);
    return { dirPath, large: `${dirPath}/${first.name}`, small: `${dirPath}/${last.name}` };
  }

  /** Runs a shell command as the user without privileges. @returns Whether it succeeded. */
  asUser(script: string, user = this.user as Identity): boolean {
    const [program = "", ...args] = commandAs(user, ["sh", "-c", script]);
    const options = { args, cwd: "/", stdout: "null", stderr: "null" } as const;
    return new Deno.Command(program, options).outputSync().success;
  }
}

/** Fails unless `body` fails with one of these errnos. */
export function refuses(errnos: keyof typeof ERRNO | (keyof typeof ERRNO)[], body: () => unknown) {
  const expected = [errnos].flat();
  try {
    body();
  } catch (error) {
    assert(error instanceof PosixError, `not a system call's error: ${error}`);
    assert(
      expected.some((name) => ERRNO[name] === error.errno),
      `${errnoName(error.errno)}, not ${expected.join(" or ")}`,
    );
    return;
  }
  assert.fail(`succeeded, instead of ${expected.join(" or ")}`);
}

/** fsync of a file or a directory. */
export function sync(path: string): void {
  const fd = open(byteStringOf(path), O.read);
  try {
    fsync(fd);
  } finally {
    close(fd);
  }
}

/** Bytes that differ from place to place. */
export function fill(sizeBytes: number, salt = 1): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(sizeBytes);
  for (let at = 0; at < sizeBytes; at++) bytes[at] = (at * 31 + (at >> 8) * 7 + salt) % 255 + 1;
  return bytes;
}

/** Compares bytes, and tells the first place where they differ. */
export function assertBytes(actual: Uint8Array, expected: Uint8Array, what = "bytes"): void {
  if (Buffer.compare(actual, expected) === 0) return;
  const at = actual.findIndex((byte, index) => byte !== expected[index]);
  const sizes = `${actual.length} and ${expected.length} bytes`;
  assert.fail(`${what}: ${actual[at]} at ${at}, not ${expected[at]}; ${sizes}`);
}
