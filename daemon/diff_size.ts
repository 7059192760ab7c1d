/**
 * The size of a diff on disk, and of the data files in it that nothing names.
 *
 * To know, each of its files is looked at, of which there may be very many. So it is counted a little
 * at a time, and who asks gets an answer soon: the last count, and how old it is.
 *
 * @module
 */

import { DIFF_NAMES, isOfFsck, pathsIn } from "../binding/mod.ts";
import { type ByteString, byteStringOf } from "../ffi/bytes.ts";
import { TYPE } from "../ffi/file_type.ts";
import { type Fd, type Libc, OPEN } from "../ffi/libc.ts";
import type { Strays } from "../overlay/mod.ts";
import type { DiffSize } from "../observe/mod.ts";

import type { Task, Turn } from "./scheduler.ts";

type Part = "dataBytes" | "walBytes" | "otherBytes";

/** What was counted. */
export interface DiffMeasure {
  readonly size: DiffSize;
  /** Data files that nothing names; as the size, more than that while the first count goes on. */
  readonly strays: Strays;
}

/** Sums of a count, in bytes but for `strayCount`. */
type Sums = Record<Part | "strayBytes" | "strayCount", number>;

const NOTHING: Readonly<Sums> = {
  ...{ dataBytes: 0, walBytes: 0, otherBytes: 0, strayBytes: 0, strayCount: 0 },
};

const DIRECTORY = OPEN.readOnly | OPEN.directory | OPEN.noFollow;

/** What is only reserved, and what is counted apart. */
const NOT_PARTS: readonly string[] = [DIFF_NAMES.reserve, DIFF_NAMES.lostAndFound];
const PARTS: Readonly<Record<string, Part>> = {
  [DIFF_NAMES.data]: "dataBytes",
  [DIFF_NAMES.wal]: "walBytes",
};

/** How long this thread counts before it looks what else there is to do. */
const SLICE_MS = 5;
/** How long somebody who asks waits for a new count. */
const WAIT_MS = 500;
/** A count that took longer than this is used for ten times as long. */
const QUICK_MS = 100;
/** Directories in directories; PostgreSQL makes one below `wal`. */
const DEPTH_MAX = 8;

/** Who runs a background task: a {@link Scheduler}. */
export interface Background {
  add(task: Task): void;
  /** Settles when it has run; does not reject. */
  want(task: Task): Promise<void>;
}

/** Counts one diff. What disappears meanwhile does not count. */
export class DiffMeter implements Task {
  readonly name = "diff size";
  /** Somebody waits for it, and it keeps only the control thread busy. */
  readonly patienceMs = 50;
  readonly #background: Background;
  readonly #path: ByteString;
  readonly #strayPath: ByteString;
  readonly #libc: Libc;
  #counting: Promise<void> | undefined;
  #sums: Sums = { ...NOTHING };
  #last: { readonly sums: Readonly<Sums>; readonly atMs: number } | undefined;
  #dueMs = -Infinity;

  /** @param background Told of this task, and asked for a run of it. */
  constructor(diffPath: string, libc: Libc, background: Background) {
    this.#background = background;
    background.add(this);
    this.#path = byteStringOf(diffPath);
    this.#strayPath = byteStringOf(pathsIn(diffPath).lostAndFound);
    this.#libc = libc;
  }

  /** @param waitMs How long a new count is waited for. */
  async measure(waitMs = WAIT_MS): Promise<DiffMeasure> {
    if (performance.now() >= this.#dueMs) {
      this.#counting ??= this.#background.want(this).finally(() => this.#counting = undefined);
    }
    if (this.#counting !== undefined) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, waitMs);
      await Promise.race([this.#counting, promise]);
      clearTimeout(timer);
    }
    if (this.#last === undefined) {
      return asMeasure(this.#sums, { ageSeconds: 0, isComplete: false });
    }
    const ageSeconds = Math.round((performance.now() - this.#last.atMs) / 1000);
    return asMeasure(this.#last.sums, { ageSeconds, isComplete: true });
  }

  async run(turn: Turn): Promise<void> {
    this.#sums = { ...NOTHING };
    const start = performance.now();
    let sliceEnd = start + SLICE_MS;
    for (const [part, bytes] of this.#walk()) {
      this.#sums[part] += bytes;
      if (part === "strayBytes") this.#sums.strayCount++;
      if (performance.now() < sliceEnd) continue;
      await turn.rest();
      sliceEnd = performance.now() + SLICE_MS;
    }
    const end = performance.now();
    this.#last = { sums: this.#sums, atMs: end };
    this.#dueMs = end - start < QUICK_MS ? end : end + 10 * (end - start);
  }

  *#walk(): Generator<readonly [Part | "strayBytes", number]> {
    for (const [name, bytes] of this.#spaceIn(() => this.#libc.open(this.#path, DIRECTORY), 0)) {
      yield [PARTS[name] ?? "otherBytes", bytes];
    }
    for (const bytes of this.#strays()) yield ["strayBytes", bytes];
  }

  /** Space of each stray. */
  *#strays(): Generator<number> {
    const libc = this.#libc;
    const fd = ifThere(() => libc.open(this.#strayPath, DIRECTORY));
    if (fd === undefined) return;
    try {
      for (const name of libc.names(fd)) {
        const status = isOfFsck(name) ? undefined : ifThere(() => libc.statAt(fd, name));
        if (status !== undefined) yield status.blocks512 * 512;
      }
    } finally {
      libc.close(fd);
    }
  }

  /** Space of a directory and of what is in it, by the names in the directory; its own is "". */
  *#spaceIn(open: () => Fd, depth: number): Generator<readonly [string, number]> {
    const libc = this.#libc;
    const fd = ifThere(open);
    if (fd === undefined) return;
    try {
      yield ["", libc.fstat(fd).blocks512 * 512];
      for (const name of libc.names(fd)) {
        if (depth === 0 && NOT_PARTS.includes(name)) continue;
        const status = ifThere(() => libc.statAt(fd, name));
        if (status === undefined) continue;
        if ((status.mode & TYPE.mask) !== TYPE.directory) yield [name, status.blocks512 * 512];
        else if (depth < DEPTH_MAX) {
          const inside = this.#spaceIn(() => libc.openAt(fd, name, DIRECTORY), depth + 1);
          for (const [, bytes] of inside) yield [name, bytes];
        }
      }
    } finally {
      libc.close(fd);
    }
  }
}

function asMeasure(
  { strayCount, strayBytes, ...parts }: Readonly<Sums>,
  when: Pick<DiffSize, "ageSeconds" | "isComplete">,
): DiffMeasure {
  return { size: { ...parts, ...when }, strays: { count: strayCount, sizeBytes: strayBytes } };
}

function ifThere<T>(body: () => T): T | undefined {
  try {
    return body();
  } catch {
    return undefined; // It has gone meanwhile, or is not ours to look at.
  }
}
