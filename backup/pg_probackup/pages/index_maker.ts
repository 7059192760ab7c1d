/**
 * Makes page indexes from what the members of a chain stored.
 *
 * @module
 */

import { PbkfsError } from "../../../errors.ts";
import { printable } from "../../../ffi/bytes.ts";
import type { Libc } from "../../../ffi/libc.ts";
import { allocate, type NativeBuffer } from "../../../ffi/memory.ts";
import type { ByteString } from "../../../ffi/bytes.ts";
import { BLOCK_SIZE_BYTES } from "../../tree/base_tree.ts";
import type { Codecs } from "../../tree/codecs.ts";
import type { StoreCounters } from "../../tree/store_counters.ts";
import { HEADER_SIZE_BYTES, readHeaderMap } from "./header_map.ts";
import type { PageHeaders } from "../lists/member_files.ts";
import { BLOCKS_MAX, PageIndex, PageIndexBuilder } from "./page_index.ts";
import type { Row } from "../../tree/path_list.ts";
import { parseProgramVersion, VERSION } from "../catalog/program_version.ts";
import type { FileLists } from "../lists/file_lists.ts";
import { originDamaged } from "../../tree/store_error.ts";
import type { StoredFile, StoreFiles } from "../../tree/store_files.ts";
import type { StoreLayout } from "../lists/store_layout.ts";
import { walkStream } from "./stream_walk.ts";

/** What index making works with. */
export interface IndexMakerParts {
  readonly lists: FileLists;
  readonly store: StoreLayout;
  readonly files: StoreFiles;
  readonly libc: Libc;
  readonly codecs: Codecs;
  readonly counters: StoreCounters;
}

/** A record takes at least its header and a byte: no list can promise more of them. */
const RECORD_BYTES_MIN = 9;
const SCRATCH_BYTES_FIRST = 4096;
const WALK_BYTES = 32;

/** Makes the index of one file at a time. */
export class IndexMaker {
  readonly #versions: readonly number[];
  #packed = allocate(SCRATCH_BYTES_FIRST);
  #inflated = allocate(SCRATCH_BYTES_FIRST);
  readonly #header = allocate(WALK_BYTES);

  constructor(private readonly parts: IndexMakerParts) {
    this.#versions = parts.lists.members.map((_, member) =>
      parseProgramVersion(parts.store.info(member).programVersion) ?? 0
    );
  }

  /**
   * Length of a data file in blocks, where it can be told without an index. A FULL backup stores
   * blocks from 0 on without a gap, so if it holds the last one that dest has, that is the end.
   */
  blockCountForSure(row: Row): number | undefined {
    const { members } = this.parts.lists;
    const [full, dest] = [members[0]!, members.at(-1)!];
    if (dest.storedSizeBytes(row) === 0) return 0;
    const blockCount = this.parts.lists.blockCount(row);
    if (blockCount === 0 || blockCount > BLOCKS_MAX) return undefined;
    if (this.#versions[0]! < VERSION.headerMapFrom) return undefined;
    const isInFull = full.storedSizeBytes(row) > 0 && full.headerCount(row) >= blockCount;
    return isInFull ? blockCount : undefined;
  }

  /**
   * Reads the page headers of all members that store some of the file.
   *
   * Restore writes the newest backup first and leaves alone what is written, or, if dest is older
   * than 2.4.0, writes over the older ones. Both give the same, but for truncation markers, which
   * only the second way understands.
   *
   * @throws {PbkfsError} `StoreDamaged` naming the file; `VersionUnsupported` for a marker where
   * restore would lose data.
   */
  make(row: Row, treePath: ByteString): PageIndex {
    const { lists } = this.parts;
    const { members } = lists;
    const dest = members.at(-1)!;
    const limit = lists.blockCount(row) || BLOCKS_MAX;
    const builder = new PageIndexBuilder(lists.blockCount(row) || 16);
    this.parts.counters.indexesMade++;
    if (dest.storedSizeBytes(row) === 0) return builder.build();
    members.forEach((files, member) => {
      if (files.storedSizeBytes(row) <= 0) return;
      const stored = this.parts.store.storedFile(row, member, treePath);
      const headers = files.headers(row);
      const hasMap = headers.count > 0 && this.#versions[member]! >= VERSION.headerMapFrom;
      const problem = hasMap
        ? this.#readMap({ stored, headers, member, limit, builder })
        : this.#walk({ stored, row, member, limit, builder });
      if (problem !== undefined) throw originDamaged(stored.of, problem);
    });
    return builder.build();
  }

  #readMap(
    { stored, headers, member, limit, builder }: {
      stored: StoredFile;
      headers: PageHeaders;
      member: number;
      limit: number;
      builder: PageIndexBuilder;
    },
  ): string | undefined {
    const { files, store, libc, codecs, counters } = this.parts;
    const storedSizeBytes = stored.sizeBytes ?? 0;
    if (headers.count * RECORD_BYTES_MIN > storedSizeBytes || headers.count > BLOCKS_MAX) {
      return `the file list promises ${headers.count} pages in ${storedSizeBytes} bytes`;
    }
    const inflatedBytes = (headers.count + 1) * HEADER_SIZE_BYTES;
    // Deflate never makes data noticeably longer.
    if (headers.sizeBytes < 1 || headers.sizeBytes > inflatedBytes * 2 + 1024) {
      return `the file list gives its page headers ${headers.sizeBytes} bytes`;
    }
    this.#packed = atLeast(this.#packed, headers.sizeBytes);
    this.#inflated = atLeast(this.#inflated, inflatedBytes);
    const map = files.descriptor(store.headerMap(member, stored.of.path));
    const range = { offsetBytes: headers.offsetBytes, sizeBytes: headers.sizeBytes };
    const got = libc.pread(map, this.#packed.address, range);
    counters.indexBytesRead += got;
    if (got !== headers.sizeBytes) return "page_header_map ends before its page headers do";
    const isSound = codecs.decode({
      codec: "zlib",
      source: this.#packed,
      sourceOffsetBytes: 0,
      sourceSizeBytes: headers.sizeBytes,
      target: this.#inflated,
      targetOffsetBytes: 0,
      targetSizeBytes: inflatedBytes,
    });
    if (!isSound) return `its page headers do not inflate to ${inflatedBytes} bytes`;
    return readHeaderMap(
      this.#inflated.bytes.subarray(0, inflatedBytes),
      { count: headers.count, crc: headers.crc, storedSizeBytes, blocksMax: BLOCKS_MAX },
      (block, offsetBytes, sizeBytes) => {
        if (block >= limit) return false;
        builder.add(block, {
          member,
          offsetBytes,
          sizeBytes,
          isCompressed: sizeBytes < BLOCK_SIZE_BYTES,
        });
        return true;
      },
    );
  }

  #walk(
    { stored, row, member, limit, builder }: {
      stored: StoredFile;
      row: Row;
      member: number;
      limit: number;
      builder: PageIndexBuilder;
    },
  ): string | undefined {
    const { files, libc, counters, lists } = this.parts;
    const fd = files.descriptor(stored);
    return walkStream({
      storedSizeBytes: stored.sizeBytes ?? 0,
      programVersion: this.#versions[member]!,
      codec: lists.members[member]!.codec(row),
      blocksMax: BLOCKS_MAX,
    }, {
      read: (offsetBytes, sizeBytes) => {
        const got = libc.pread(fd, this.#header.address, { offsetBytes, sizeBytes });
        counters.indexBytesRead += got;
        if (got !== sizeBytes) throw originDamaged(stored.of, "its stored file has shrunk");
        return this.#header.view;
      },
      record: (block, payload) => {
        if (block >= limit) return false;
        builder.add(block, { member, ...payload });
        return true;
      },
      marker: (blockCount) => {
        this.#checkMarker(stored, lists.members.length);
        builder.truncate(blockCount);
      },
    });
  }

  #checkMarker(stored: StoredFile, memberCount: number): void {
    if (memberCount === 1 || this.#versions.at(-1)! < VERSION.headerMapFrom) return;
    throw new PbkfsError("VersionUnsupported", {
      what:
        `"${printable(stored.of.path)}" was truncated in backup ${stored.of.backupId} in a way ` +
        "that the pg_probackup of the newest backup of its chain restores with loss of data",
      todo: "Choose a backup from before the upgrade of pg_probackup.",
    });
  }
}

/** The buffer if it is large enough, else a larger one. */
function atLeast(buffer: NativeBuffer, sizeBytes: number): NativeBuffer {
  if (buffer.sizeBytes >= sizeBytes) return buffer;
  return allocate(2 ** Math.ceil(Math.log2(sizeBytes)));
}
