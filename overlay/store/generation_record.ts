/**
 * Up to which commit a diff has got, told outside of its metadata store: what the store has lost, it
 * cannot tell itself.
 *
 * The file has two slots of 512 bytes, a line of text each, written in turn; the higher number
 * counts, so a write that was torn leaves the one before. It is written in place after each commit,
 * and not synced then: what a killed process has written is there all the same, and after a failure
 * of power the record may be half a minute old, which is never more than the store has.
 *
 * @module
 */

import { crc32c } from "../../backup/mod.ts";
import { besideStore } from "../../binding/mod.ts";
import { ERRNO, errnoOf, PbkfsError } from "../../errors.ts";
import { byteStringOf } from "../../ffi/bytes.ts";
import { type Fd, OPEN, systemLibc } from "../../ffi/libc.ts";
import { allocate } from "../../ffi/memory.ts";
import { openDiffFile } from "../../ffi/open_beneath.ts";

const SLOT_SIZE_BYTES = 512;
const LINE = /^pbkfs generation (\d{16}) crc32c ([0-9a-f]{8}) *\n/;

/**
 * The highest generation that a record tells; undefined if there is none, or it makes no sense.
 *
 * @throws {PbkfsError} `DiffDamaged` if it is no file; `Io` with the errno.
 */
export function readGeneration(path: string): number | undefined {
  const bytes = readSlots(path);
  if (bytes === undefined) return undefined;
  const slots = [0, SLOT_SIZE_BYTES].map((at) =>
    parseSlot(bytes.subarray(at, at + SLOT_SIZE_BYTES))
  );
  const found = slots.filter((generation) => generation !== undefined);
  return found.length === 0 ? undefined : Math.max(...found);
}

function readSlots(path: string): Uint8Array | undefined {
  const libc = systemLibc();
  let fd: Fd;
  try {
    fd = openDiffFile(libc, byteStringOf(path), OPEN.readOnly);
  } catch (error) {
    if (errnoOf(error) === ERRNO.ENOENT) return undefined;
    throw error;
  }
  try {
    const { bytes, address } = allocate(2 * SLOT_SIZE_BYTES);
    return bytes.subarray(0, libc.pread(fd, address, { offsetBytes: 0, sizeBytes: bytes.length }));
  } finally {
    libc.close(fd);
  }
}

function parseSlot(bytes: Uint8Array): number | undefined {
  const [, digits, crc] = LINE.exec(new TextDecoder().decode(bytes)) ?? [];
  if (digits === undefined || crc !== crcOf(digits)) return undefined;
  return Number(digits);
}

function crcOf(digits: string): string {
  return crc32c(new TextEncoder().encode(digits)).toString(16).padStart(8, "0");
}

/** The record, open for writing. */
export class GenerationRecord {
  readonly #fd: Fd;
  readonly #slot = allocate(SLOT_SIZE_BYTES);

  /** Opens the record, and makes it if there is none. @throws {PbkfsError} the system's error. */
  constructor(path: string) {
    const flags = OPEN.readWrite | OPEN.create;
    this.#fd = openDiffFile(systemLibc(), byteStringOf(path), flags, 0o600);
  }

  /** Costs one pwrite(2) of what is in memory already. @throws {PbkfsError} the system's error. */
  write(generation: number): void {
    const digits = generation.toString().padStart(16, "0");
    const line = `pbkfs generation ${digits} crc32c ${crcOf(digits)}`;
    const text = `${line.padEnd(SLOT_SIZE_BYTES - 1)}\n`;
    new TextEncoder().encodeInto(text, this.#slot.bytes);
    const offsetBytes = (generation % 2) * SLOT_SIZE_BYTES;
    const range = { offsetBytes, sizeBytes: SLOT_SIZE_BYTES };
    systemLibc().pwrite(this.#fd, this.#slot.address, range);
  }

  sync(): void {
    systemLibc().fdatasync(this.#fd);
  }

  close(): void {
    systemLibc().close(this.#fd);
  }
}

/** What a store must at least be, as others tell. */
export interface ExpectedGeneration {
  /** What the binding tells; undefined of a diff that an earlier pbkfs made. */
  readonly bound: number | undefined;
  /** What the record tells. */
  readonly recorded: number | undefined;
}

/** @throws {PbkfsError} `DiffDamaged` if a store has lost commits. */
export function checkGeneration(
  path: string,
  found: number,
  { bound = 0, recorded = 0 }: ExpectedGeneration,
): void {
  const expected = Math.max(bound, recorded);
  if (found >= expected) return;
  throw new PbkfsError("DiffDamaged", {
    what: `The metadata store "${path}" has lost commits: it ends at generation ${found}, and ` +
      `${expected} was reached. It is an older copy, or "${
        besideStore(path).log
      }" is missing or damaged`,
    todo: RESTORE_OR_SALVAGE,
  });
}

/** What helps when a part of a diff is missing. */
export const RESTORE_OR_SALVAGE = "Restore the file from a copy; or look at what is left, " +
  "read-only, with: pbkfs mount --salvage; or empty the diff with: pbkfs cleanup.";
