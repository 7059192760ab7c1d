/**
 * The free space of the diff's file system, as one of four states, and what follows from each.
 *
 * - `room`: the kernel gathers writes without asking.
 * - `near`: a file that the diff does not have yet asks before its first write, which then makes its
 *   data file: an inode, and up to a megabyte that is copied up, for a write of a few bytes.
 * - `low`: every write asks, and is refused.
 * - `full`: the same, and some of the reserve was needed for what had been accepted.
 *
 * @module
 */

import { ERRNO, errnoOf } from "../../errors.ts";
import { type Fd, type Libc, STATVFS } from "../../ffi/libc.ts";
import { allocate } from "../../ffi/memory.ts";
import type { Reserve } from "../data/reserve.ts";

/** See above. */
export type SpaceState = "room" | "near" | "low" | "full";

/** The states, in the order of their numbers in shared memory. */
export const SPACE_STATES: readonly SpaceState[] = ["room", "near", "low", "full"];

/** When to change from one state to another. */
export interface SpaceLimits {
  /** With less than this left, writes are refused. */
  readonly lowBytes: number;
  /** With less than this left, first writes ask. */
  readonly nearBytes: number;
  /** With fewer inodes left, first writes ask. */
  readonly nearFiles: number;
}

/** What a file system has left. */
export interface Left {
  readonly bytes: number;
  /** Inodes; Infinity where they are not counted. */
  readonly files: number;
}

/** A state begins. */
export interface SpaceChange {
  readonly from: SpaceState;
  readonly to: SpaceState;
  readonly left: Left;
  /** What is left in the reserve. */
  readonly reserveBytes: number;
  /** What writes are refused with while it is low. */
  readonly errno: number;
}

/** What a watch is made of. */
export interface SpaceOptions {
  readonly libc: Libc;
  /** Anything on the file system. */
  readonly fd: Fd;
  readonly limits: SpaceLimits;
  /** Missing where the file system cannot allocate a file. */
  readonly reserve?: Reserve | undefined;
  /** Keeps data files ready; missing if none are kept. */
  readonly spares?: { readonly isFull: boolean; fill(): void } | undefined;
  readonly onChange: (change: SpaceChange) => void;
  /** Milliseconds of a clock that only moves forward. */
  readonly clock: () => number;
  /** Memory of one cell, to show the state to other threads. */
  readonly shared?: SharedArrayBuffer | undefined;
}

/** How long no look is needed, unless much is written. */
const LOOK_AFTER_MS = 1000;
/** While space is low, it is looked whether that is over. */
const RECOVER_AFTER_MS = 500;
/** A reserve that could not be filled for a quota, which statvfs does not show, waits. */
const FILL_AFTER_MS = 200;

/** Watches a file system. One thread uses it. */
export class Space {
  readonly #options: SpaceOptions;
  readonly #statvfs = allocate(256);
  readonly #shown: Int32Array<SharedArrayBuffer>;
  #state: SpaceState = "room";
  #errno: number = ERRNO.ENOSPC;
  #writtenBytes = 0;
  #lookedMs = -Infinity;
  #fillMs = -Infinity;

  constructor(options: SpaceOptions) {
    this.#options = options;
    this.#shown = new Int32Array(options.shared ?? new SharedArrayBuffer(4));
  }

  get state(): SpaceState {
    return this.#state;
  }

  /** Whether writes are refused. */
  get isLow(): boolean {
    return this.#state === "low" || this.#state === "full";
  }

  get limits(): SpaceLimits {
    return this.#options.limits;
  }

  /** What writes are refused with. */
  get errno(): number {
    return this.#errno;
  }

  /** Told of each write: after some, it is time for a look. */
  wrote(sizeBytes: number): void {
    this.#writtenBytes += sizeBytes;
    const { lowBytes } = this.#options.limits;
    if (this.#writtenBytes * 4 < lowBytes && this.#now() - this.#lookedMs < LOOK_AFTER_MS) return;
    this.look();
  }

  /** What was accepted did not find room. */
  exhausted(errno: number): void {
    this.#errno = errno;
    this.#become("full", this.left());
  }

  /** A data file could not be made for want of inodes. */
  outOfFiles(): void {
    if (this.#state === "room") this.#become("near", this.left());
  }

  /** Gives some of the reserve back. @returns false if there is none. */
  take(sizeBytes: number): boolean {
    return this.#options.reserve?.take(sizeBytes) ?? false;
  }

  /** Learns what is left. */
  look(): void {
    this.#writtenBytes = 0;
    this.#lookedMs = this.#now();
    const left = this.left();
    const { limits, reserve } = this.#options;
    const stays = this.isLow && !this.#recovers(left);
    if (!this.isLow) this.#errno = ERRNO.ENOSPC;
    if (reserve !== undefined && !reserve.isFull) this.#become("full", left);
    else if (stays || left.bytes < limits.lowBytes) this.#become("low", left);
    else if (this.#isNear(left)) this.#become("near", left);
    else this.#become("room", left);
  }

  /** Milliseconds until the next look is due of its own; undefined if none is. */
  dueMs(): number | undefined {
    if (!this.isLow) return undefined;
    return Math.max(0, this.#lookedMs + RECOVER_AFTER_MS - this.#now());
  }

  left(): Left {
    const { libc, fd } = this.#options;
    libc.fstatvfs(fd, this.#statvfs.address);
    const field = (name: keyof typeof STATVFS) =>
      Number(this.#statvfs.view.getBigUint64(STATVFS[name].at, true));
    return {
      bytes: field("available") * field("fragmentBytes"),
      files: field("files") === 0 ? Infinity : field("filesAvailable"),
    };
  }

  #now(): number {
    return this.#options.clock();
  }

  /** Somewhat more than what began it must be there to end it. */
  #isNear(left: Left): boolean {
    const { limits, spares } = this.#options;
    if (spares !== undefined && !spares.isFull) spares.fill();
    const factor = this.#state === "room" ? 1 : 1.25;
    return left.bytes < limits.nearBytes * factor || left.files < limits.nearFiles * factor ||
      spares?.isFull === false;
  }

  /** Whether writes can be accepted again: the reserve is full, and as much is free again. */
  #recovers(left: Left): boolean {
    const { reserve, limits } = this.#options;
    const freeBytes = limits.lowBytes * 2;
    const missingBytes = Math.max(0, (reserve?.targetBytes ?? 0) - (reserve?.sizeBytes ?? 0));
    if (left.bytes < missingBytes + freeBytes) return false;
    // What a quota leaves can only be found out by trying.
    const tries = missingBytes > 0 || this.#errno === ERRNO.EDQUOT;
    if (reserve === undefined || !tries) return true;
    if (this.#now() - this.#fillMs < FILL_AFTER_MS) return false;
    this.#fillMs = this.#now();
    try {
      reserve.fill(freeBytes);
      return true;
    } catch (error) {
      this.#errno = errnoOf(error);
      return false;
    }
  }

  #become(state: SpaceState, left: Left): void {
    const from = this.#state;
    if (from === state) return;
    this.#state = state;
    Atomics.store(this.#shown, 0, SPACE_STATES.indexOf(state));
    this.#options.onChange({
      from,
      to: state,
      left,
      reserveBytes: this.#options.reserve?.sizeBytes ?? 0,
      errno: this.#errno,
    });
  }
}
