/**
 * Stores a data file as a stream of pages.
 *
 * @module
 */

import { deflate } from "pako";
import type { Codec } from "../../../backup/mod.ts";
import { crc32c } from "../../../backup/tree/crc32c.ts";
import { byteStringOf } from "../../../ffi/bytes.ts";
import { OPEN, systemLibc } from "../../../ffi/libc.ts";
import { allocate, type NativeBuffer } from "../../../ffi/memory.ts";
import { pageChecksum } from "./page_checksum.ts";
import { type EncodePage, pageEncoder } from "./page_encoder.ts";

/** What to store, and how. Plain data: it crosses to a worker. */
export interface StreamJob {
  readonly sourcePath: string;
  /** Nothing is written there if no page is stored. */
  readonly targetPath: string;
  readonly segment: number;
  readonly codec: Codec;
  readonly level: number;
  readonly pages: PageChoice;
}

/** Which pages of a file a backup stores. */
export type PageChoice =
  | "all"
  /** As DELTA: those changed since, and those that are all zero. */
  | { readonly changedSince: number }
  /** As PAGE, which knows from the WAL. */
  | { readonly blocks: ReadonlySet<number> };

/** What a file list says of a stored stream. */
export interface StoredStream {
  readonly sizeBytes: number;
  readonly crc: number;
  /** Length of the source. */
  readonly blockCount: number;
  readonly headerCount: number;
  /** The region of `page_header_map`, and the CRC of what it inflates to. */
  readonly headers: Uint8Array<ArrayBuffer>;
  readonly headersCrc: number;
}

const PAGE_BYTES = 8192;
const BATCH_PAGES = 128;
const BLOCKS_A_SEGMENT = 131072;
const RECORD_HEADER_BYTES = 8;
const ELEMENT_BYTES = 24;

const libc = systemLibc();
const source = allocate(BATCH_PAGES * PAGE_BYTES);
const target = allocate(BATCH_PAGES * (PAGE_BYTES + RECORD_HEADER_BYTES));
const words = new Int32Array(source.bytes.buffer, source.bytes.byteOffset, source.sizeBytes / 4);

const encoders = new Map<string, EncodePage>();

function encoderFor(codec: Codec, level: number): EncodePage {
  const key = `${codec} ${level}`;
  const encoder = encoders.get(key) ?? pageEncoder(codec, level);
  encoders.set(key, encoder);
  return encoder;
}

/** Where a page was last changed, as a number: enough digits for the first 8 PB of WAL. */
function lsnOf({ view }: NativeBuffer, at: number): number {
  return view.getUint32(at, true) * 2 ** 32 + view.getUint32(at + 4, true);
}

function isWanted(pages: PageChoice, block: number, lsn: number): boolean {
  if (pages === "all") return true;
  if ("blocks" in pages) return pages.blocks.has(block);
  return lsn === 0 || lsn >= pages.changedSince;
}

/** The elements of a header map, growing. */
class Headers {
  count = 0;
  #bytes = allocate(64 * ELEMENT_BYTES);

  add(block: number, position: number, lsn: number, checksum: number): void {
    const at = this.#element(this.count++);
    const { view } = this.#bytes;
    view.setBigUint64(at, BigInt(lsn), true);
    view.setInt32(at + 8, block, true);
    view.setInt32(at + 12, position, true);
    view.setUint16(at + 16, checksum, true);
  }

  /** With the last element, which tells where the stream ends. */
  finish(sizeBytes: number): Uint8Array<ArrayBuffer> {
    const at = this.#element(this.count);
    this.#bytes.view.setInt32(at + 12, sizeBytes, true);
    return this.#bytes.bytes.subarray(0, at + ELEMENT_BYTES);
  }

  #element(index: number): number {
    const at = index * ELEMENT_BYTES;
    if (at === this.#bytes.sizeBytes) {
      const larger = allocate(at * 2);
      larger.bytes.set(this.#bytes.bytes);
      this.#bytes = larger;
    }
    return at;
  }
}

/** Stores the pages chosen. The parts of a page after the last whole one are left out. */
export function storeStream(job: StreamJob): StoredStream {
  const encode = encoderFor(job.codec, job.level);
  const from = libc.open(byteStringOf(job.sourcePath), OPEN.readOnly);
  using out = new LazyFile(job.targetPath);
  const headers = new Headers();
  let filled = 0;
  let crc = 0;
  const flush = () => {
    crc = crc32c(target.bytes.subarray(0, filled), crc);
    out.write(target.bytes.subarray(0, filled));
    filled = 0;
  };
  let block = 0;
  for (let got = source.sizeBytes; got === source.sizeBytes;) {
    const range = { offsetBytes: block * PAGE_BYTES, sizeBytes: source.sizeBytes };
    got = libc.pread(from, source.address, range);
    for (let at = 0; at + PAGE_BYTES <= got; at += PAGE_BYTES, block++) {
      const lsn = lsnOf(source, at);
      if (!isWanted(job.pages, block, lsn)) continue;
      headers.add(block, out.sizeBytes + filled, lsn, checksumOf(at, lsn, job.segment, block));
      const sizeBytes = encode({
        source,
        sourceOffsetBytes: at,
        target,
        targetOffsetBytes: filled + RECORD_HEADER_BYTES,
      });
      target.view.setUint32(filled, block, true);
      target.view.setInt32(filled + 4, sizeBytes, true);
      filled += RECORD_HEADER_BYTES + sizeBytes;
    }
    if (filled > 0) flush();
  }
  libc.close(from);
  const region = headers.finish(out.sizeBytes);
  return {
    sizeBytes: out.sizeBytes,
    crc,
    blockCount: block,
    headerCount: headers.count,
    headers: headers.count === 0 ? new Uint8Array() : deflate(region, { level: 1 }),
    headersCrc: crc32c(region),
  };
}

/** A page never used is all zero, and has no checksum. */
function checksumOf(at: number, lsn: number, segment: number, block: number): number {
  const isNew = lsn === 0 && source.view.getUint16(at + 14, true) === 0;
  if (isNew) return 0;
  const page = words.subarray(at / 4, (at + PAGE_BYTES) / 4);
  return pageChecksum(page, segment * BLOCKS_A_SEGMENT + block);
}

/** A new file, made by the first write. */
class LazyFile implements Disposable {
  sizeBytes = 0;
  #file: Deno.FsFile | undefined;

  constructor(readonly path: string) {}

  write(bytes: Uint8Array): void {
    this.#file ??= Deno.openSync(this.path, { write: true, createNew: true, mode: 0o600 });
    for (let at = 0; at < bytes.length;) at += this.#file.writeSync(bytes.subarray(at));
    this.sizeBytes += bytes.length;
  }

  [Symbol.dispose](): void {
    this.#file?.close();
  }
}
