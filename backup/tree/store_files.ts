/**
 * The stored files of a chain, opened when needed, a bounded number at a time.
 *
 * @module
 */

import { ERRNO, PbkfsError } from "../../errors.ts";
import type { ByteString } from "../../ffi/bytes.ts";
import type { Fd, Libc } from "../../ffi/libc.ts";
import type { OpenedFile } from "../../ffi/open_beneath.ts";
import type { StoreOrigin } from "./base_tree.ts";
import type { StoreCounters } from "./store_counters.ts";
import { type StoreDirectory, StoreRefusal } from "./store_directory.ts";
import { originDamaged } from "./store_error.ts";

/** A file to open. */
export interface StoredFile {
  /** Different for every file of the chain. */
  readonly key: number;
  readonly path: ByteString;
  /** What the file list says; undefined if it does not. */
  readonly sizeBytes?: number;
  readonly of: StoreOrigin;
}

/** A descriptor, and the last plan that has used it. */
interface OpenFile {
  readonly fd: Fd;
  usedIn: number;
}

/** Keeps descriptors open, the least recently used of which are closed to make room. */
export class StoreFiles {
  readonly #open = new Map<number, OpenFile>();
  /** Counts plans. What the plan that is being made has used is not closed before the next one. */
  #plan = 0;

  constructor(
    private readonly store: Pick<StoreDirectory, "open" | "close">,
    private readonly libc: Libc,
    private readonly counters: StoreCounters,
    private readonly descriptorsMax: number,
  ) {}

  /** Begins a new plan: descriptors handed out for earlier ones may be closed. */
  unpin(): void {
    this.#plan++;
  }

  /**
   * A descriptor of the file, open for reading only.
   *
   * @throws {PbkfsError} `StoreDamaged` if there is no such file, or it has another size.
   */
  descriptor(file: StoredFile): Fd {
    const known = this.#open.get(file.key);
    if (known !== undefined) {
      known.usedIn = this.#plan;
      return known.fd;
    }
    if (this.#open.size >= this.descriptorsMax) this.#makeRoom();
    const fd = this.#openFile(file);
    this.#open.set(file.key, { fd, usedIn: this.#plan });
    return fd;
  }

  close(): void {
    for (const { fd } of this.#open.values()) this.libc.close(fd);
    this.#open.clear();
    this.store.close();
  }

  /** Closes what was used longest ago. Looking at all costs less than the open(2) that follows. */
  #makeRoom(): void {
    const byUse = [...this.#open].sort(([, a], [, b]) => a.usedIn - b.usedIn);
    for (const [key, { fd, usedIn }] of byUse) {
      if (this.#open.size < this.descriptorsMax || usedIn === this.#plan) return;
      this.#open.delete(key);
      this.libc.close(fd);
    }
  }

  #openFile(file: StoredFile): Fd {
    let opened: OpenedFile;
    try {
      opened = this.store.open(file.path);
    } catch (error) {
      throw openFailed(file, error);
    }
    this.counters.filesOpened++;
    const { fd, status: { sizeBytes } } = opened;
    if (file.sizeBytes === undefined || sizeBytes === file.sizeBytes) return fd;
    this.libc.close(fd);
    throw originDamaged(
      file.of,
      `its stored file has ${sizeBytes} bytes, the file list says ${file.sizeBytes}`,
    );
  }
}

/** A missing file is damage. That we may not read it, or have too many open, is not. */
function openFailed(file: StoredFile, error: unknown): unknown {
  if (error instanceof StoreRefusal) {
    return originDamaged(file.of, `its stored file ${error.message}`, error);
  }
  const errno = error instanceof PbkfsError ? error.errno : undefined;
  const why = error instanceof Error ? error.message : String(error);
  if (errno === ERRNO.ENOENT || errno === ERRNO.ENOTDIR) {
    return originDamaged(file.of, `its stored file cannot be opened: ${why}`, error);
  }
  if (errno !== ERRNO.EACCES) return error;
  return new PbkfsError("PermissionDenied", {
    what: `Cannot read backup ${file.of.backupId}: ${why}`,
    todo: "Run pbkfs as the user who owns the catalog.",
    // Who reads the tree may do that. It is the tree that cannot be had.
    errno: ERRNO.EIO,
    cause: error,
  });
}
