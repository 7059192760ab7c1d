/**
 * The page index of one segment: for each block, which backup holds its page, and where.
 *
 * @module
 */

import { BLOCK_SIZE_BYTES } from "../../tree/base_tree.ts";
import { grown } from "../../tree/grown.ts";

/**
 * No segment of PostgreSQL is longer, in blocks: 32 GiB, where the usual is 1 GiB. A number beyond
 * it in a store is damage, and must not make us ask for memory.
 */
export const BLOCKS_MAX = 2 ** 22;

/** The page is compressed although its payload is as long as a page. */
const COMPRESSED_BIT = 0x8000;

/** A stored page of a chain: whose it is, and where its payload lies. */
export interface PageRecord {
  /** Position of the backup in the chain, 0 for FULL. */
  readonly member: number;
  /** Of the payload in the stored file, after the record's header. */
  readonly offsetBytes: number;
  /** Of the payload: 1 to 8192. */
  readonly sizeBytes: number;
  readonly isCompressed: boolean;
}

/**
 * For every block of a file, the newest record in the chain: eight bytes a block. A block that
 * nobody stored is a hole, and reads as zeros.
 */
export class PageIndex {
  constructor(
    private readonly offsets: Uint32Array,
    private readonly sizes: Uint16Array,
    private readonly members: Uint16Array,
    /** Length of the file, in blocks. */
    readonly blockCount: number,
  ) {}

  /** What it costs to keep it. */
  get memoryBytes(): number {
    return this.offsets.length * 8;
  }

  /** Whether a block is a hole, and the first block after it that is not the same. */
  run(block: number): { readonly isHole: boolean; readonly endBlock: number } {
    const isHole = this.sizes[block] === 0;
    let endBlock = block + 1;
    while (endBlock < this.blockCount && (this.sizes[endBlock] === 0) === isHole) endBlock++;
    return { isHole, endBlock };
  }

  /**
   * The newest record of a block.
   *
   * @param block Below {@link PageIndex.blockCount}.
   * @returns undefined for a hole.
   */
  record(block: number): PageRecord | undefined {
    const sizeBytes = this.sizes[block]!;
    if (sizeBytes === 0) return undefined;
    const member = this.members[block]!;
    return {
      member: member & ~COMPRESSED_BIT,
      offsetBytes: this.offsets[block]!,
      sizeBytes,
      isCompressed: sizeBytes < BLOCK_SIZE_BYTES || (member & COMPRESSED_BIT) !== 0,
    };
  }
}

/** Collects the records of a file. Members are added from FULL to dest: the newer one wins. */
export class PageIndexBuilder {
  #offsets: Uint32Array;
  #sizes: Uint16Array;
  #members: Uint16Array;
  #blockCount = 0;

  /** @param blocksExpected How long the file will probably be. */
  constructor(blocksExpected: number) {
    const length = Math.max(1, Math.min(blocksExpected, BLOCKS_MAX));
    this.#offsets = new Uint32Array(length);
    this.#sizes = new Uint16Array(length);
    this.#members = new Uint16Array(length);
  }

  /** `block` is below {@link BLOCKS_MAX}. */
  add(block: number, record: PageRecord): void {
    if (block >= this.#offsets.length) this.#grow(block + 1);
    this.#offsets[block] = record.offsetBytes;
    this.#sizes[block] = record.sizeBytes;
    const isOdd = record.isCompressed && record.sizeBytes === BLOCK_SIZE_BYTES;
    this.#members[block] = record.member | (isOdd ? COMPRESSED_BIT : 0);
    if (block >= this.#blockCount) this.#blockCount = block + 1;
  }

  /** Makes the file exactly `blockCount` blocks long, as a truncation marker says. */
  truncate(blockCount: number): void {
    if (blockCount > this.#offsets.length) this.#grow(blockCount);
    this.#sizes.fill(0, blockCount);
    this.#blockCount = blockCount;
  }

  /** The index, in no more memory than it needs. The builder is of no use afterwards. */
  build(): PageIndex {
    const count = this.#blockCount;
    const fits = this.#offsets.length === count;
    return new PageIndex(
      fits ? this.#offsets : this.#offsets.slice(0, count),
      fits ? this.#sizes : this.#sizes.slice(0, count),
      fits ? this.#members : this.#members.slice(0, count),
      count,
    );
  }

  #grow(needed: number): void {
    const length = Math.min(BLOCKS_MAX, Math.max(needed, this.#offsets.length * 2));
    this.#offsets = grown(this.#offsets, length);
    this.#sizes = grown(this.#sizes, length);
    this.#members = grown(this.#members, length);
  }
}
