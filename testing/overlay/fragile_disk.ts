/**
 * A directory on a disk that loses power, and calls that fail, for tests.
 *
 * @module
 */

import { existsSync } from "node:fs";
import { errnoName, PbkfsError } from "../../errors.ts";
import type { ByteString } from "../../ffi/bytes.ts";
import { type Fd, type Libc, OPEN, systemLibc } from "../../ffi/libc.ts";

/** What a power cut may keep or lose on its own. */
export const SECTOR_SIZE_BYTES = 4096;

/** Calls that can be made to fail. */
export type FaultyCall =
  | "open"
  | "dup"
  | "pwrite"
  | "ftruncate"
  | "fallocate"
  | "fdatasync"
  | "fsync"
  | "syncFileSystem"
  | "writeError";

/** The next `after` calls succeed, the one after them fails. */
export interface Fault {
  readonly call: FaultyCall;
  readonly errno: number;
  readonly after?: number;
  /** It goes on failing. */
  readonly sticks?: boolean;
}

/** Remembers which bytes of the files of one directory have been synced. */
export class FragileDisk {
  readonly libc: Libc;
  /** Calls that make things durable or take them away, in their order. */
  readonly calls: string[] = [];
  readonly #directory: string;
  readonly #pathOf = new Map<Fd, string>();
  readonly #synced = new Map<string, Uint8Array>();
  #syncedNames = new Set<string>();
  #fault: (Fault & { left: number }) | undefined;

  constructor(directory: string) {
    this.#directory = directory;
    this.libc = this.#wrap(systemLibc());
  }

  /** Makes a coming call fail. undefined: none. */
  set fault(fault: Fault | undefined) {
    this.#fault = fault === undefined ? undefined : { ...fault, left: fault.after ?? 0 };
  }

  /** Whether the fault is still to come. */
  get isArmed(): boolean {
    return this.#fault !== undefined;
  }

  /** The most descriptors that were open at once. */
  openFilesMax = 0;

  get openFiles(): number {
    return this.#pathOf.size;
  }

  /**
   * Takes the power away: of what was not synced, anything may be lost.
   *
   * @param choose Whether to keep something, each time it is asked.
   */
  cutPower(choose: () => boolean): void {
    for (const { name } of [...Deno.readDirSync(this.#directory)]) {
      const path = `${this.#directory}/${name}`;
      if (!this.#syncedNames.has(name) && choose()) {
        Deno.removeSync(path);
        continue;
      }
      const now = Deno.readFileSync(path);
      const then = this.#synced.get(path) ?? new Uint8Array();
      const kept = new Uint8Array(choose() ? now.length : then.length);
      for (let at = 0; at < kept.length; at += SECTOR_SIZE_BYTES) {
        kept.set(
          (choose() ? now : then).subarray(at, at + SECTOR_SIZE_BYTES).subarray(
            0,
            kept.length - at,
          ),
          at,
        );
      }
      Deno.writeFileSync(path, kept);
      this.#synced.set(path, kept);
    }
    this.#syncedNames = new Set([...Deno.readDirSync(this.#directory)].map(({ name }) => name));
  }

  #wrap(libc: Libc): Libc {
    const mayFail = (call: FaultyCall) => {
      const fault = this.#fault;
      if (fault?.call !== call || fault.left-- > 0) return;
      if (fault.sticks !== true) this.#fault = undefined;
      const what = `${call} failed with ${errnoName(fault.errno)}, on purpose`;
      throw new PbkfsError("Io", { what, errno: fault.errno });
    };
    const idOf = (fd: Fd) => this.#pathOf.get(fd)?.split("/").at(-1)?.replace(/^0+/, "");
    return {
      ...libc,
      open: (path: ByteString, flags: number, mode?: number) => {
        mayFail("open");
        if ((flags & OPEN.create) !== 0 && !existsSync(path)) this.#synced.delete(path);
        const fd = libc.open(path, flags, mode);
        this.#pathOf.set(fd, path);
        return fd;
      },
      dup: (fd: Fd) => {
        mayFail("dup");
        const copy = libc.dup(fd);
        this.#pathOf.set(copy, this.#pathOf.get(fd) as string);
        this.openFilesMax = Math.max(this.openFilesMax, this.#pathOf.size);
        return copy;
      },
      close: (fd: Fd) => {
        this.#pathOf.delete(fd);
        libc.close(fd);
      },
      pwrite: (fd, source, range) => {
        try {
          mayFail("pwrite");
        } catch (error) {
          // A disk that runs full takes a part.
          libc.pwrite(fd, source, { ...range, sizeBytes: Math.floor(range.sizeBytes / 2) });
          throw error;
        }
        libc.pwrite(fd, source, range);
      },
      ftruncate: (fd, sizeBytes) => {
        mayFail("ftruncate");
        libc.ftruncate(fd, sizeBytes);
      },
      fallocate: (fd, mode, range) => {
        mayFail("fallocate");
        libc.fallocate(fd, mode, range);
      },
      fdatasync: (fd) => {
        this.calls.push(`fdatasync ${idOf(fd)}`);
        mayFail("fdatasync");
        const path = this.#pathOf.get(fd) as string;
        this.#synced.set(path, Deno.readFileSync(path));
      },
      fsync: () => {
        this.calls.push("fsync directory");
        mayFail("fsync");
        this.#syncedNames = new Set([...Deno.readDirSync(this.#directory)].map((e) => e.name));
      },
      syncFileSystem: () => {
        this.calls.push("sync all");
        mayFail("syncFileSystem");
        this.#syncedNames = new Set([...Deno.readDirSync(this.#directory)].map((e) => e.name));
        for (const name of this.#syncedNames) {
          const path = `${this.#directory}/${name}`;
          this.#synced.set(path, Deno.readFileSync(path));
        }
        return true;
      },
      writeError: (fd) => {
        mayFail("writeError");
        libc.writeError(fd);
      },
      unlink: (path) => {
        this.calls.push(`unlink ${path.split("/").at(-1)?.replace(/^0+/, "")}`);
        libc.unlink(path);
      },
    };
  }
}
