/**
 * Errands: requests of the main thread to the thread that serves the kernel, which never looks up
 * from its work: to bring to disk what it has, to commit what has changed, and to end although the
 * kernel still has the mount.
 *
 * Numbers in shared memory say what is wanted; a byte in a pipe wakes a thread that waits for the
 * kernel. Only the main thread writes the numbers, and they only grow.
 *
 * @module
 */

import type { Fd, Libc } from "../ffi/libc.ts";
import { allocate } from "../ffi/memory.ts";
import type { SessionErrands } from "../fuse/mod.ts";
import { layoutOf } from "../threads/mod.ts";

/** What the other thread needs to look at errands: plain data. */
export interface ErrandsData {
  readonly shared: SharedArrayBuffer;
  readonly wakeFd: Fd;
}

const ERRANDS = layoutOf({
  /** How often a sync was wanted so far. */
  SYNCS: 1,
  /** 1 once the end is wanted. */
  END: 1,
  /** How often a commit was wanted so far. */
  COMMITS: 1,
});
const { SYNCS, END, COMMITS } = ERRANDS.at;

/** The side that asks. */
export class Errands {
  readonly data: ErrandsData;
  readonly #libc: Libc;
  readonly #wakeFd: Fd;
  readonly #numbers: Int32Array<SharedArrayBuffer>;
  readonly #byte = allocate(1);
  #isClosed = false;

  constructor(libc: Libc) {
    const { read, write } = libc.pipe();
    const shared = new SharedArrayBuffer(ERRANDS.size * 4);
    this.data = { shared, wakeFd: read };
    this.#libc = libc;
    this.#wakeFd = write;
    this.#numbers = new Int32Array(shared);
  }

  /** Wants all brought to disk. @returns The number under which the answer will come. */
  wantSync(): number {
    return this.#want(SYNCS);
  }

  /** Wants changes handed to who commits them. @returns As {@link Errands.wantSync}. */
  wantCommit(): number {
    return this.#want(COMMITS);
  }

  #want(what: number): number {
    const number = Atomics.add(this.#numbers, what, 1) + 1;
    this.#wake();
    return number;
  }

  wantEnd(): void {
    Atomics.store(this.#numbers, END, 1);
    this.#wake();
  }

  /** When the other thread has ended. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#libc.close(this.#wakeFd);
    this.#libc.close(this.data.wakeFd);
  }

  #wake(): void {
    if (!this.#isClosed) this.#libc.write(this.#wakeFd, this.#byte.address, 1);
  }
}

/** Bytes that are taken from the pipe at a time; what is left wakes once more, for nothing. */
const WAKES = 16;

/** How errands are done. Both answer under `number`, also for lower ones, and do not throw. */
export interface ErrandsToDo {
  /** Brings all to disk. */
  sync(number: number): void;
  /** Hands changes to who commits them. */
  commit(number: number): void;
}

/** The side that is asked. */
export class ErrandRunner implements SessionErrands {
  readonly wakeFd: Fd;
  readonly #libc: Libc;
  readonly #numbers: Int32Array<SharedArrayBuffer>;
  readonly #do: ErrandsToDo;
  readonly #bytes = allocate(WAKES);
  #syncs = 0;
  #commits = 0;

  constructor(data: ErrandsData, libc: Libc, toDo: ErrandsToDo) {
    this.wakeFd = data.wakeFd;
    this.#libc = libc;
    this.#numbers = new Int32Array(data.shared);
    this.#do = toDo;
  }

  get isEndWanted(): boolean {
    return Atomics.load(this.#numbers, END) !== 0;
  }

  runBetween(): void {
    const commits = Atomics.load(this.#numbers, COMMITS);
    if (commits === this.#commits) return;
    this.#commits = commits;
    this.#do.commit(commits);
  }

  run(): void {
    const syncs = Atomics.load(this.#numbers, SYNCS);
    if (syncs === this.#syncs) return;
    this.#syncs = syncs;
    this.#do.sync(syncs);
  }

  woken(): void {
    this.#libc.read(this.wakeFd, this.#bytes.address, WAKES);
  }
}
