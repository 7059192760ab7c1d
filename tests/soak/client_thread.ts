/// <reference no-default-lib="true" />
/// <reference lib="deno.worker" />
/**
 * One thread that works on a mount: it reads files that nobody changes, or changes files that are
 * its own, and compares each byte that it gets with a plain file that must hold the same.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { byteStringOf } from "../../ffi/bytes.ts";
import {
  close,
  dropCached,
  fstat,
  fsync,
  ftruncate,
  open,
  pread,
  pwrite,
} from "../support/posix.ts";
import { Random } from "../support/random.ts";

/** What a thread is told. */
export interface ThreadTask {
  readonly mountDir: string;
  /** Has the same files: those of a backup, or, for a writer, copies that it changes as well. */
  readonly plainDir: string;
  readonly paths: readonly string[];
  readonly writes: boolean;
  readonly seed: number;
  /** How long it works, from when it has started. */
  readonly workMs: number;
  /** Cell 0: seconds since 1970 when the current operation began, 0 between two. */
  readonly beat: SharedArrayBuffer;
}

/** What it tells at its end. */
export type ThreadNews = { readonly done: number } | { readonly failed: string };

const PAGE = 8192;
const O_RDWR = 2;
const O_DIRECT = Deno.build.arch === "aarch64" ? 0o200000 : 0o40000;
/** Files that a thread holds open. */
const OPEN_MAX = 12;

interface OpenPair {
  readonly path: string;
  readonly mounted: number;
  readonly plain: number;
}

self.onmessage = ({ data }: MessageEvent<ThreadTask>) => {
  const news = (text: ThreadNews) => self.postMessage(text);
  const thread = new ClientThread(data);
  try {
    news({ done: thread.work() });
  } catch (error) {
    news({ failed: `${thread.doing}: ${(error as Error).message}` });
  }
};

class ClientThread {
  /** In words, for a report. */
  doing = "";
  readonly #task: ThreadTask;
  readonly #random: Random;
  readonly #beat: Int32Array;
  readonly #open: OpenPair[] = [];

  constructor(task: ThreadTask) {
    this.#task = task;
    this.#random = new Random(task.seed);
    this.#beat = new Int32Array(task.beat);
  }

  /** @returns How many operations. */
  work(): number {
    let count = 0;
    for (const end = Date.now() + this.#task.workMs; Date.now() < end; count++) {
      Atomics.store(this.#beat, 0, Date.now() / 1000);
      this.#step();
      Atomics.store(this.#beat, 0, 0);
    }
    Atomics.store(this.#beat, 0, Date.now() / 1000);
    while (this.#open.length > 0) this.#closeOne();
    Atomics.store(this.#beat, 0, 0);
    return count;
  }

  #step(): void {
    const random = this.#random;
    if (this.#open.length === 0 || random.chance(0.1)) return this.#openOne();
    const pair = random.pick(this.#open);
    if (random.chance(0.15)) return this.#do(`drop ${pair.path}`, () => dropCached(pair.mounted));
    if (!this.#task.writes || random.chance(0.4)) return this.#read(pair);
    if (random.chance(0.1)) return this.#do(`sync ${pair.path}`, () => fsync(pair.mounted));
    if (random.chance(0.05)) return this.#truncate(pair);
    this.#write(pair);
  }

  #read({ path, mounted, plain }: OpenPair): void {
    const { at, sizeBytes } = this.#range(plain);
    this.#do(`read ${path} at ${at}, ${sizeBytes} bytes`, () => {
      const got = pread(mounted, sizeBytes, at);
      const expected = pread(plain, sizeBytes, at);
      if (got.length !== expected.length) {
        throw new Error(`got ${got.length} bytes, not ${expected.length}`);
      }
      if (Buffer.compare(got, expected) === 0) return;
      const first = got.findIndex((byte, index) => byte !== expected[index]);
      throw new Error(`byte ${at + first} is ${got[first]}, not ${expected[first]}`);
    });
  }

  #write({ path, mounted, plain }: OpenPair): void {
    const { at, sizeBytes } = this.#range(plain);
    const bytes = new Uint8Array(sizeBytes);
    for (let index = 0; index < sizeBytes; index += 512) {
      bytes.fill(this.#random.between(0, 255), index, index + 512);
    }
    this.#do(`write ${path} at ${at}, ${sizeBytes} bytes`, () => {
      const written = pwrite(mounted, bytes, at);
      if (written !== sizeBytes) throw new Error(`wrote ${written} bytes`);
      pwrite(plain, bytes, at);
    });
  }

  #truncate({ path, mounted, plain }: OpenPair): void {
    const { at } = this.#range(plain);
    this.#do(`truncate ${path} to ${at}`, () => {
      ftruncate(mounted, at);
      ftruncate(plain, at);
    });
  }

  /** Mostly pages as a server reads them; also much at once, and a few bytes anywhere. */
  #range(plain: number): { readonly at: number; readonly sizeBytes: number } {
    const random = this.#random;
    const pages = Math.ceil(fstat(plain).sizeBytes / PAGE);
    const at = random.between(0, pages) * PAGE;
    if (random.chance(0.75)) return { at, sizeBytes: PAGE };
    if (random.chance(0.5)) return { at, sizeBytes: random.between(2, 128) * PAGE };
    return { at: at + random.between(0, PAGE - 1), sizeBytes: random.between(1, 20_000) };
  }

  #openOne(): void {
    if (this.#open.length >= OPEN_MAX) return this.#closeOne();
    const { mountDir, plainDir, paths } = this.#task;
    const path = this.#random.pick(paths);
    const flags = O_RDWR | (this.#random.chance(0.5) ? O_DIRECT : 0);
    this.#do(`open ${path}`, () => {
      this.#open.push({
        path,
        mounted: open(byteStringOf(`${mountDir}/${path}`), flags),
        plain: open(byteStringOf(`${plainDir}/${path}`), O_RDWR),
      });
    });
  }

  #closeOne(): void {
    const { mounted, plain } = this.#open.shift() as OpenPair;
    close(mounted);
    close(plain);
  }

  #do(doing: string, body: () => void): void {
    this.doing = doing;
    body();
  }
}
