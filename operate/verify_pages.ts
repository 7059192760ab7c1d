/**
 * Checks the checksums of the pages that a diff holds of relations.
 *
 * @module
 */

import { type Base, crc32c, readFile } from "../backup/mod.ts";
import { ERRNO, errnoOf } from "../errors.ts";
import { byteStringOf } from "../ffi/bytes.ts";
import { type Fd, type Libc, OPEN } from "../ffi/libc.ts";
import { allocate, type NativeBuffer } from "../ffi/memory.ts";
import { openDiffFile } from "../ffi/open_beneath.ts";
import type { Ino } from "../fuse/mod.ts";
import {
  type ContentRecord,
  dataFileName,
  type DataId,
  PAGE_SIZE_BYTES,
  type StoredState,
} from "../overlay/mod.ts";
import { checkPage, firstBlockOf, hasDataChecksums } from "../postgres/mod.ts";
import type { VerifyFinding } from "./verify_report.ts";

const CONTROL = "global/pg_control";

interface Options {
  readonly base: Base;
  readonly state: StoredState;
  readonly libc: Libc;
  readonly dataDirectory: string;
  readonly pathOf: (ino: Ino) => string;
}

/** Checks all pages, if the cluster has checksums. */
export function checkPages(
  options: Options,
): { readonly pages: number; readonly findings: readonly VerifyFinding[] } {
  const { state, pathOf } = options;
  const has = hasDataChecksums(controlOf(options), crc32c);
  if (has !== true) {
    const why = has === false ? "the cluster has no data checksums" : `"${CONTROL}" is damaged`;
    const level = has === false ? "note" : "damage";
    const text = `${why}, so bytes of pages cannot be checked`;
    return { pages: 0, findings: [{ level, about: "page", text }] };
  }
  const findings: VerifyFinding[] = [];
  let pages = 0;
  for (const content of state.contents) {
    const path = pathOf(content.ino);
    const first = firstBlockOf(path);
    if (first === undefined) continue;
    pages += checkFile(options, content, { path, first }, findings);
  }
  return { pages, findings };
}

/** @returns How many pages were looked at. */
function checkFile(
  { libc, dataDirectory, state }: Options,
  { ino, dataId, form, sizeBytes }: ContentRecord,
  { path, first }: { readonly path: string; readonly first: number },
  findings: VerifyFinding[],
): number {
  const tell = (block: number, what: string) =>
    findings.push({
      ...{ level: "damage", about: "page", path, block },
      text: `block ${block} of "${path}" ${what}`,
    });
  const fd = openData(libc, dataDirectory, dataId);
  if (fd === undefined) return 0; // That is told already.
  try {
    const length = form === "whole" ? libc.fstat(fd).sizeBytes : sizeBytes;
    const count = Math.floor(length / PAGE_SIZE_BYTES);
    const { bytes, address } = pageBuffer();
    let checked = 0;
    for (const number of form === "whole" ? Array(count).keys() : heldPages(state, ino)) {
      // A page that the file ends in is not one of PostgreSQL's.
      if (number >= count) continue;
      const range = { offsetBytes: number * PAGE_SIZE_BYTES, sizeBytes: PAGE_SIZE_BYTES };
      // That the file ends before, lengths tell.
      if (libc.pread(fd, address, range) < PAGE_SIZE_BYTES) continue;
      checked++;
      if (checkPage(bytes, first + number) === "wrong") {
        tell(first + number, "has a wrong checksum");
      }
    }
    return checked;
  } finally {
    libc.close(fd);
  }
}

let page: NativeBuffer | undefined;
const pageBuffer = () => page ??= allocate(PAGE_SIZE_BYTES);

/** undefined: there is none. */
function openData(libc: Libc, dataDirectory: string, id: DataId): Fd | undefined {
  const path = byteStringOf(`${dataDirectory}/${dataFileName(id)}`);
  try {
    return openDiffFile(libc, path, OPEN.readOnly);
  } catch (error) {
    if (errnoOf(error) === ERRNO.ENOENT) return undefined;
    throw error;
  }
}

/** The clone's, which `pg_checksums` may have changed. */
function controlOf({ base, state, libc, dataDirectory, pathOf }: Options): Uint8Array {
  let own: ContentRecord | undefined;
  for (const content of state.contents) {
    if (pathOf(content.ino) === CONTROL) own = content;
  }
  if (own === undefined) return readFile(base, byteStringOf(CONTROL));
  const fd = openData(libc, dataDirectory, own.dataId);
  if (fd === undefined) return new Uint8Array();
  try {
    const { bytes, address } = pageBuffer();
    const range = { offsetBytes: 0, sizeBytes: PAGE_SIZE_BYTES };
    return bytes.slice(0, libc.pread(fd, address, range));
  } finally {
    libc.close(fd);
  }
}

function* heldPages(state: StoredState, ino: Ino): Generator<number> {
  for (const { part, bits } of state.pagesOf(ino)) {
    for (let bit = 0; bit < bits.length * 8; bit++) {
      if ((bits[bit >> 3]! & (1 << (bit & 7))) !== 0) yield part * bits.length * 8 + bit;
    }
  }
}
