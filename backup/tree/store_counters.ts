/**
 * Counters of the work that reading a store takes.
 *
 * @module
 */

/** Counts since the base was opened, or since the caller made them. */
export interface StoreCounters {
  /** Bytes read from stored files: payloads, pages, plain files. */
  storeBytesRead: number;
  /** Bytes read to learn where pages lie: headers, regions of `page_header_map`. */
  indexBytesRead: number;
  /** Reads from stored files, that is, calls of pread. */
  storeReads: number;
  /** Pages decompressed. */
  recordsDecoded: number;
  /** Page indexes made; more than there are files if memory is short. */
  indexesMade: number;
  /** Files of the store opened. */
  filesOpened: number;
}

/** All zero. */
export function newStoreCounters(): StoreCounters {
  return {
    storeBytesRead: 0,
    indexBytesRead: 0,
    storeReads: 0,
    recordsDecoded: 0,
    indexesMade: 0,
    filesOpened: 0,
  };
}
