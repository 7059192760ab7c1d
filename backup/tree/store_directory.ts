/**
 * The one way to open what lies in a store. A catalog may belong to somebody else than who mounts
 * it, and change at any time: nothing in it leads out of it, makes us wait, or lets us read for
 * others what they could not read themselves.
 *
 * @module
 */

import { ERRNO, PbkfsError } from "../../errors.ts";
import { type ByteString, byteStringOf } from "../../ffi/bytes.ts";
import { TYPE } from "../../ffi/file_type.ts";
import { type Fd, type FileStatus, type Libc, OPEN, systemLibc } from "../../ffi/libc.ts";
import { allocate } from "../../ffi/memory.ts";
import { openDirectoryBeneath, type OpenedFile, openFileBeneath } from "../../ffi/open_beneath.ts";

/** A user, with the group that counts. */
export interface FileOwner {
  readonly uid: number;
  readonly gid: number;
}

/** What is there must not be opened. The message goes on from a name: "is a symbolic link". */
export class StoreRefusal extends Error {}

/** How a directory of a store is opened. */
export interface StoreDirectoryOptions {
  readonly libc?: Libc;
  /** The directory itself may be a symbolic link, as those of instances are where disks differ. */
  readonly mayBeLink?: boolean;
  /** For whom files are read: who will get their content. The directory's owner if left out. */
  readonly reader?: FileOwner;
}

/** What is told of a file without opening it. */
export interface StoredStatus {
  /** st_mode. */
  readonly mode: number;
  readonly sizeBytes: number;
  /** In milliseconds since 1970. */
  readonly modifiedAt: number;
}

const LINK_ERRNOS: readonly number[] = [ERRNO.ELOOP, ERRNO.ENOTDIR];
/** Through a link, or elsewhere than below the directory. */
const LED_ASTRAY: readonly number[] = [ERRNO.ELOOP, ERRNO.EXDEV];

/** A directory that is open, and the files below it. */
export class StoreDirectory implements Disposable {
  /** Absolute, without symbolic links. */
  readonly path: string;
  readonly owner: FileOwner;
  /** Its permission bits. */
  readonly mode: number;
  readonly #reader: FileOwner;
  readonly #fd: Fd;
  readonly #libc: Libc;
  /** Of {@link StoreDirectory.path} with the slash after it, in bytes. */
  readonly #prefix: ByteString;
  /** Whom the system itself keeps from nothing. */
  readonly #isRoot = Deno.uid() === 0;
  #isOpen = true;

  private constructor(path: string, fd: Fd, { libc, reader }: StoreDirectoryOptions) {
    this.path = path;
    this.#prefix = byteStringOf(`${path}/`);
    this.#fd = fd;
    this.#libc = libc ?? systemLibc();
    const status = this.#libc.fstat(fd);
    this.owner = status;
    this.mode = status.mode & 0o7777;
    this.#reader = reader ?? this.owner;
  }

  /**
   * @param path Absolute; no part of it but, if allowed, the last one is a symbolic link.
   * @throws {PbkfsError} `Io` with the errno. @throws {StoreRefusal}
   */
  static open(path: string, options: StoreDirectoryOptions = {}): StoreDirectory {
    const libc = options.libc ?? systemLibc();
    const root = libc.open("/" as ByteString, OPEN.pathOnly | OPEN.directory);
    try {
      const relative = byteStringOf(path).slice(1) as ByteString;
      try {
        return new StoreDirectory(path, openDirectoryBeneath(libc, root, relative), options);
      } catch (error) {
        if (options.mayBeLink !== true || !isOneOf(error, LINK_ERRNOS)) throw refused(error);
      }
      const slash = relative.lastIndexOf("/");
      using parent = new StoreDirectory(
        path.slice(0, path.lastIndexOf("/")),
        openDirectoryBeneath(libc, root, relative.slice(0, slash) as ByteString),
        { libc },
      );
      return parent.#follow(relative.slice(slash + 1) as ByteString, options);
    } catch (error) {
      throw refused(error);
    } finally {
      libc.close(root);
    }
  }

  /** A directory below this one. @throws As {@link StoreDirectory.open}. */
  directory(name: string): StoreDirectory {
    try {
      const fd = openDirectoryBeneath(this.#libc, this.#fd, byteStringOf(name));
      return new StoreDirectory(`${this.path}/${name}`, fd, { libc: this.#libc });
    } catch (error) {
      throw refused(error);
    }
  }

  /**
   * Opens a file for reading.
   *
   * @param path Absolute, below this directory.
   * @throws {PbkfsError} `Io` with the errno.
   * @throws {StoreRefusal} if it is no regular file, lies behind a link, or is not for the reader.
   */
  open(path: ByteString): OpenedFile {
    if (!path.startsWith(this.#prefix)) throw new TypeError(`${path} is not in ${this.path}`);
    let opened: OpenedFile | undefined;
    try {
      const below = path.slice(this.#prefix.length) as ByteString;
      opened = openFileBeneath(this.#libc, this.#fd, below);
    } catch (error) {
      throw refused(error);
    }
    if (opened === undefined) throw new StoreRefusal("is not a regular file");
    const { status, fd } = opened;
    if (!this.#isRoot || mayRead(this.#reader, status)) return opened;
    this.#libc.close(fd);
    throw new StoreRefusal(
      `belongs to user ${status.uid}, and user ${this.#reader.uid}, for whom it would be read, ` +
        "may not read it",
    );
  }

  /** Reads a file with this name whole. @throws {StoreRefusal} also if it is longer than that. */
  read(name: string, bytesMax: number): Uint8Array<ArrayBuffer> {
    const { fd, status } = this.open(this.#prefix + byteStringOf(name) as ByteString);
    try {
      const { sizeBytes } = status;
      if (sizeBytes > bytesMax) {
        throw new StoreRefusal(`has ${sizeBytes} bytes, expected ${bytesMax} at most`);
      }
      if (sizeBytes === 0) return new Uint8Array();
      const { bytes, address } = allocate(sizeBytes);
      return bytes.subarray(0, this.#libc.pread(fd, address, { offsetBytes: 0, sizeBytes }));
    } finally {
      this.#libc.close(fd);
    }
  }

  /** Opens a file with this name as a stream of the runtime. @throws As {@link open}. */
  stream(name: string): Deno.FsFile {
    const { fd } = this.open(this.#prefix + byteStringOf(name) as ByteString);
    try {
      return Deno.openSync(`/proc/self/fd/${fd}`);
    } finally {
      this.#libc.close(fd);
    }
  }

  /** What is in it. */
  list(): Deno.DirEntry[] {
    return [...Deno.readDirSync(`/proc/self/fd/${this.#fd}`)];
  }

  /** What is told of a name in it; a link is not followed. @throws {Deno.errors.NotFound} */
  look(name: string): StoredStatus {
    const { mode, size, mtime } = Deno.lstatSync(`/proc/self/fd/${this.#fd}/${name}`);
    return { mode: mode ?? 0, sizeBytes: size, modifiedAt: mtime?.getTime() ?? 0 };
  }

  /** Only for what is told of it: such a link is not gone through. */
  hasLinkToDirectory(name: string): boolean {
    try {
      return Deno.statSync(`/proc/self/fd/${this.#fd}/${name}`).isDirectory;
    } catch {
      return false;
    }
  }

  close(): void {
    if (this.#isOpen) this.#libc.close(this.#fd);
    this.#isOpen = false;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /**
   * Opens where a link of this directory leads. Root may have laid it anywhere; anybody else only
   * to a directory of their own, or they would have others read what is not theirs. What the link
   * says is read from the link whose owner was looked at: it may be another one a moment later.
   */
  #follow(name: ByteString, options: StoreDirectoryOptions): StoreDirectory {
    const libc = this.#libc;
    const link = libc.openAt(this.#fd, name, OPEN.pathOnly | OPEN.noFollow);
    try {
      const { mode, uid } = libc.fstat(link);
      if ((mode & TYPE.mask) !== TYPE.symlink) throw new StoreRefusal("is not a directory");
      const fd = libc.openAt(this.#fd, libc.readLink(link), OPEN.readOnly | OPEN.directory);
      const target = Deno.readLinkSync(`/proc/self/fd/${fd}`);
      const found = new StoreDirectory(target, fd, options);
      if (uid === 0 || uid === found.owner.uid) return found;
      found.close();
      throw new StoreRefusal(
        `is a symbolic link of user ${uid} to "${target}", which belongs to user ` +
          `${found.owner.uid}`,
      );
    } finally {
      libc.close(link);
    }
  }
}

/**
 * Waits until a disk, or a network, has answered about a file. Other threads of the runtime do the
 * asking, so if there is no answer, only the caller waits. A pipe or the like is not touched.
 */
export async function untilAnswered(path: string): Promise<void> {
  const isFile = await Deno.lstat(path).then(({ isFile }) => isFile, () => false);
  if (isFile) await Deno.open(path).then((file) => file.close(), () => {});
}

/** Whether the modes let a user read a file; its owner could change them. */
function mayRead({ uid, gid }: FileOwner, file: FileStatus): boolean {
  if (uid === 0 || file.uid === uid) return true;
  return (file.mode & (file.gid === gid ? 0o040 : 0o004)) !== 0;
}

/** What the system says of links, in the words of a store; all else as it is. */
function refused(error: unknown): unknown {
  if (!isOneOf(error, LED_ASTRAY)) return error;
  return new StoreRefusal("is a symbolic link, or lies behind one", { cause: error });
}

function isOneOf(error: unknown, errnos: readonly number[]): boolean {
  return error instanceof PbkfsError && errnos.includes(error.errno);
}
