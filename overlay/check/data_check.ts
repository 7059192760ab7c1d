/**
 * Holds the data files of a diff against what its metadata points at.
 *
 * @module
 */

import { PbkfsError } from "../../errors.ts";
import { byteStringOf } from "../../ffi/bytes.ts";
import { type Libc, OPEN } from "../../ffi/libc.ts";
import type { Ino } from "../../fuse/mod.ts";
import { PAGE_SIZE_BYTES } from "../content/file_content.ts";
import { dataFileName } from "../data/data_files.ts";
import { SPARE_NAME } from "../data/spare_files.ts";
import { RESTORE_OR_SALVAGE } from "../store/generation_record.ts";
import {
  type ContentRecord,
  type DataId,
  PAGE_MAP_PART_SIZE_BYTES,
  type PageMapRecord,
} from "../store/metadata_store.ts";
import type { StoredState, StoreFacts } from "../store/stored_state.ts";
import { type KeptStrays, StrayFiles } from "../store/strays.ts";

/** A data file that is not what the metadata says. */
export interface WrongFile {
  readonly ino: Ino;
  readonly dataId: DataId;
  /** What its length must be; at least that of a paged file, exactly that of a whole one. */
  readonly expectedBytes: number;
  /** undefined: it is missing. */
  readonly foundBytes: number | undefined;
}

/** What was found, and done. */
export interface DataCheck {
  /** As before, and lengths of data files. */
  readonly state: StoredState;
  readonly strays: KeptStrays;
  /** No data file has this number, or a higher one. */
  readonly nextDataId: number;
}

/** What is checked. */
export interface DataCheckOptions {
  readonly libc: Libc;
  readonly dataDirectory: string;
  /** Where data files go that nothing names. */
  readonly lostDirectory: string;
  readonly state: StoredState;
  /** Where an inode is in the tree, for messages. */
  readonly pathOf: (ino: Ino) => string;
}

/** Files that a message names. */
const NAMED_MAX = 5;

/**
 * Checks that all data files are there and long enough. Deletes those that the store calls deleted,
 * and puts aside those that it does not know: a crash came between making them and the commit, or
 * the commit was lost.
 *
 * @throws {PbkfsError} `DiffDamaged`, with nothing changed, if files are missing or too short.
 */
export function checkDataFiles(options: DataCheckOptions): DataCheck {
  const { dataDirectory, pathOf, state } = options;
  const { found, wrong } = measure(options);
  if (wrong.length > 0) throw damaged(wrong, dataDirectory, pathOf);
  return { ...tidy(options), state: state.withFound(found) };
}

/** What the metadata says of data files, held against what there is. */
export interface Measured {
  /** Lengths of data files, in the order of the state's contents; NaN where there is none. */
  readonly found: Float64Array;
  readonly wrong: readonly WrongFile[];
}

/** Looks at the data files that the metadata points at. */
export function measure(
  { libc, dataDirectory, state }: Pick<DataCheckOptions, "libc" | "dataDirectory" | "state">,
): Measured {
  const { facts } = state;
  const heldEnds = new HeldEnds(state);
  const found = new Float64Array(state.contentCount);
  const wrong: WrongFile[] = [];
  const directory = libc.open(byteStringOf(dataDirectory), OPEN.readOnly | OPEN.directory);
  try {
    const name = new Uint8Array(17);
    let row = 0;
    for (const content of state.contents) {
      const { ino, dataId, form, lengthBytes } = content;
      writeName(name, dataId);
      const foundBytes = libc.sizeAt(directory, name);
      found[row++] = foundBytes ?? NaN;
      const expectedBytes = expectedLength(content, heldEnds.of(ino), facts);
      const isExact = form === "whole" && facts.isClean && lengthBytes !== undefined;
      const isRight = foundBytes !== undefined &&
        (isExact ? foundBytes === expectedBytes : foundBytes >= expectedBytes);
      if (!isRight) wrong.push({ ino, dataId, expectedBytes, foundBytes });
    }
    return { found, wrong };
  } finally {
    libc.close(directory);
  }
}

/** As {@link dataFileName}, without making a text for each. */
function writeName(target: Uint8Array, id: DataId): void {
  let left: number = id;
  for (let at = 15; at >= 0; at--) {
    const digit = left % 16;
    left = (left - digit) / 16;
    target[at] = digit < 10 ? 48 + digit : 87 + digit;
  }
}

/** How long a data file is, or at least is. */
function expectedLength(
  { form, sizeBytes, lengthBytes }: ContentRecord,
  heldEnd: number,
  { isClean, keepsLengths }: StoreFacts,
): number {
  // What has become of a whole file since the last unmount, it alone tells.
  if (form === "whole") return isClean ? lengthBytes ?? 0 : 0;
  return keepsLengths ? Math.min(heldEnd, sizeBytes) : 0;
}

/** Where the last page ends that a file holds. To be asked in the order of inodes, as maps are. */
class HeldEnds {
  readonly #parts: Iterator<PageMapRecord>;
  #next: IteratorResult<PageMapRecord>;

  constructor({ pages }: StoredState) {
    this.#parts = pages[Symbol.iterator]();
    this.#next = this.#parts.next();
  }

  of(ino: Ino): number {
    let end = 0;
    for (
      ;
      this.#next.done !== true && this.#next.value.ino <= ino;
      this.#next = this.#parts.next()
    ) {
      if (this.#next.value.ino === ino) end = heldEnd(this.#next.value) ?? end;
    }
    return end;
  }
}

function heldEnd({ part, bits }: PageMapRecord): number | undefined {
  let byte = bits.length - 1;
  while (byte >= 0 && bits[byte] === 0) byte--;
  if (byte < 0) return undefined;
  const page = part * PAGE_MAP_PART_SIZE_BYTES * 8 + byte * 8 + 31 - Math.clz32(bits[byte]!);
  return (page + 1) * PAGE_SIZE_BYTES;
}

/** Names of data files that nothing points at, by what becomes of them. */
export function unnamed(
  { dataDirectory, state }: Pick<DataCheckOptions, "dataDirectory" | "state">,
): { readonly strays: string[]; readonly deleted: string[]; readonly nextDataId: number } {
  const named = new Set<DataId>();
  for (const { dataId } of state.contents) named.add(dataId);
  const isDeleted = new Set(state.deleted);
  const strays: string[] = [];
  const deleted: string[] = [];
  let last = (state.nextNumbers?.nextDataId ?? 1) - 1;
  for (const { name, isFile } of Deno.readDirSync(dataDirectory)) {
    const id = /^[0-9a-f]{16}$/.test(name) ? parseInt(name, 16) as DataId : undefined;
    if (id !== undefined && id > last) last = id;
    if (id !== undefined && named.has(id)) continue;
    if (id !== undefined && isDeleted.has(id)) deleted.push(name);
    else if (isFile && SPARE_NAME.test(name) && isEmpty(`${dataDirectory}/${name}`)) {
      deleted.push(name);
    } else strays.push(name);
  }
  return { strays, deleted, nextDataId: last + 1 };
}

function tidy(options: DataCheckOptions): Omit<DataCheck, "state"> {
  const { dataDirectory: from, lostDirectory: to } = options;
  const { strays, deleted, nextDataId } = unnamed(options);
  for (const name of deleted) Deno.removeSync(`${from}/${name}`);
  const files = new StrayFiles({ from, to });
  for (const name of strays) files.keep(name);
  return { strays: files.kept, nextDataId };
}

function isEmpty(path: string): boolean {
  return Deno.lstatSync(path).size === 0;
}

function damaged(
  wrong: readonly WrongFile[],
  dataDirectory: string,
  pathOf: (ino: Ino) => string,
): PbkfsError {
  const named = wrong.slice(0, NAMED_MAX).map((file) => describeWrong(file, pathOf)).join("; ");
  const more = wrong.length > NAMED_MAX ? `; and ${wrong.length - NAMED_MAX} more` : "";
  return new PbkfsError("DiffDamaged", {
    what: `Data files in "${dataDirectory}" are missing or too short: ${named}${more}`,
    todo: RESTORE_OR_SALVAGE,
  });
}

/** A clause about a file of the clone. */
export function describeWrong(
  { ino, dataId, expectedBytes, foundBytes }: WrongFile,
  pathOf: (ino: Ino) => string,
): string {
  const found = foundBytes === undefined
    ? "is missing"
    : `has ${foundBytes} bytes, not ${expectedBytes}`;
  return `that of "${pathOf(ino)}", ${dataFileName(dataId)}, ${found}`;
}
