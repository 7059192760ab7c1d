/**
 * The resolution of a path that root was given, through directories that may belong to others: a
 * symbolic link that somebody has laid there must not have root use what is not that user's.
 *
 * @module
 */

import { ERRNO, PbkfsError } from "../errors.ts";
import { bytesOf, type ByteString, byteStringOf } from "./bytes.ts";
import { TYPE } from "./file_type.ts";
import { type Fd, type Libc, OPEN } from "./libc.ts";

/** As in the kernel. */
const LINKS_MAX = 40;
const LOOKING = OPEN.pathOnly | OPEN.noFollow;

/**
 * Resolves a path as realpath(3) does, with the difference that links count only if root laid them,
 * or if who did owns what they lead to. What a link says is read from the link whose owner was
 * looked at. What is not there yet is taken as it is written; then the directory that it would be
 * in has to be the owner's of the links.
 *
 * @param path Absolute, without `.` and `..`.
 * @throws {PbkfsError} `PermissionDenied` if somebody's link leads to what is somebody else's; `Io`
 * with the errno if a directory cannot be looked at, or what is on the way is none.
 */
export function trustedPath(libc: Libc, path: string): string {
  const walk = new Walk(libc);
  try {
    walk.go(byteStringOf(path));
    walk.mustBeTrusted(path);
    return walk.path;
  } finally {
    walk.close();
  }
}

/** One way from the root directory on. */
class Walk {
  readonly #libc: Libc;
  /** The directories that the way leads through, from the root directory on. */
  readonly #directories: Fd[];
  #names: ByteString[] = [];
  /** Of links that were followed, root's left out. */
  readonly #laidBy = new Set<number>();
  /** What is where the way ends, or would be in this directory. */
  #owner: number;

  constructor(libc: Libc) {
    this.#libc = libc;
    this.#directories = [libc.open("/" as ByteString, OPEN.pathOnly | OPEN.directory)];
    this.#owner = libc.fstat(this.#at).uid;
  }

  get path(): string {
    return `/${new TextDecoder().decode(bytesOf(this.#names.join("/") as ByteString))}`;
  }

  go(path: ByteString): void {
    const parts = path.split("/") as ByteString[];
    for (let links = 0; parts.length > 0;) {
      const part = parts.shift() as ByteString;
      if (part === "" || part === ".") continue;
      if (part === "..") {
        this.#back();
        continue;
      }
      const link = this.#step(part);
      if (link === "missing") {
        this.#names.push(part, ...parts.filter((one) => one !== ""));
        return;
      }
      if (link === undefined) continue;
      if (++links > LINKS_MAX) {
        throw new PbkfsError("Io", { what: `"${this.path}" has a loop`, errno: ERRNO.ELOOP });
      }
      if (link.startsWith("/")) { while (this.#names.length > 0) this.#back(); }
      parts.unshift(...link.split("/") as ByteString[]);
    }
  }

  mustBeTrusted(given: string): void {
    for (const uid of this.#laidBy) {
      if (uid === this.#owner) continue;
      throw new PbkfsError("PermissionDenied", {
        what: `"${given}" leads through a symbolic link of user ${uid} to "${this.path}", ` +
          `which belongs to user ${this.#owner}`,
        todo: "If that is what you mean, give its own path.",
      });
    }
  }

  close(): void {
    for (const fd of this.#directories) this.#libc.close(fd);
  }

  get #at(): Fd {
    return this.#directories.at(-1) as Fd;
  }

  /** @returns What a link says; `missing` if there is nothing of that name. */
  #step(name: ByteString): ByteString | "missing" | undefined {
    let fd: Fd;
    try {
      fd = this.#libc.openAt(this.#at, name, LOOKING);
    } catch (error) {
      if (error instanceof PbkfsError && error.errno === ERRNO.ENOENT) return "missing";
      throw error;
    }
    try {
      const { mode, uid } = this.#libc.fstat(fd);
      if ((mode & TYPE.mask) === TYPE.symlink) {
        if (uid !== 0) this.#laidBy.add(uid);
        return this.#libc.readLink(fd);
      }
      this.#owner = uid;
      this.#names.push(name);
      this.#directories.push(fd);
      fd = -1 as Fd;
      return undefined;
    } finally {
      if (fd >= 0) this.#libc.close(fd);
    }
  }

  #back(): void {
    if (this.#names.length === 0) return;
    this.#names.pop();
    this.#libc.close(this.#directories.pop() as Fd);
    this.#owner = this.#libc.fstat(this.#at).uid;
  }
}
