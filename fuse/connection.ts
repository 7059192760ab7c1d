/**
 * The settings of a FUSE connection, as agreed with the kernel when a mount begins.
 *
 * @module
 */

import { CAPABILITY, FUSE_CONN_INFO } from "../ffi/fuse_layout.ts";
import { readField, writeField } from "../ffi/layout.ts";
import { type Address, borrow } from "../ffi/memory.ts";

/** Choices that tests and benchmarks may turn off. */
export interface ConnectionSettings {
  /** The largest read or write in one request. */
  readonly transferSizeBytesMax: number;
  /** Let the kernel gather writes, and own size and times meanwhile. */
  readonly writebackCache: boolean;
  /** Do not ask to be told of open and close. */
  readonly skipOpens: boolean;
  /** Clear set-user-ID bits at writes ourselves, see `init_reply.ts`. */
  readonly clearPrivileges: boolean;
  /** How long to look for the next request before sleeping. */
  readonly spinMicros: number;
}

/** What pbkfs mounts use. */
export const DEFAULT_SETTINGS: ConnectionSettings = {
  transferSizeBytesMax: 1 << 20,
  writebackCache: true,
  skipOpens: true,
  clearPrivileges: true,
  // With one processor, nobody could make a request meanwhile.
  spinMicros: navigator.hardwareConcurrency > 1 ? 20 : 0,
};

/** What came of it. */
export interface Agreement {
  /** The kernel tells of open and close, and waits for an answer. */
  readonly opensAreNeeded: boolean;
  /** The kernel tells when a file was modified; writes that it sends later do not count. */
  readonly kernelKeepsTimes: boolean;
}

const FUSE_CONN_INFO_SIZE_BYTES = 128;

/**
 * Answers the kernel's offer, in place.
 *
 * What is not wanted matters as much. Automatic invalidation would drop cached pages whenever a
 * time changes, though nobody but the kernel writes. Atomic O_TRUNC would truncate at open, of
 * which we are not told. Splicing is no faster than copying, and slower for the largest reads.
 */
export function configure(
  connection: Address,
  settings: ConnectionSettings,
): Agreement {
  const view = new DataView(borrow(connection, FUSE_CONN_INFO_SIZE_BYTES).buffer);
  const capable = readField(view, FUSE_CONN_INFO.capable);
  const wished = CAPABILITY.asyncRead | CAPABILITY.readdirPlus | CAPABILITY.readdirPlusAuto |
    CAPABILITY.asyncDirectIo | CAPABILITY.parallelDirectoryOperations |
    CAPABILITY.cacheSymlinks | CAPABILITY.explicitInvalidateData |
    (settings.writebackCache ? CAPABILITY.writebackCache : 0) |
    (settings.skipOpens ? CAPABILITY.noOpen | CAPABILITY.noOpendir : 0);
  const want = capable & wished;
  writeField(view, FUSE_CONN_INFO.want, want);
  writeField(view, FUSE_CONN_INFO.maxWrite, settings.transferSizeBytesMax);
  writeField(view, FUSE_CONN_INFO.maxRead, settings.transferSizeBytesMax);
  writeField(view, FUSE_CONN_INFO.maxReadahead, readField(view, FUSE_CONN_INFO.maxReadahead));
  writeField(view, FUSE_CONN_INFO.maxBackground, 64);
  writeField(view, FUSE_CONN_INFO.congestionThreshold, 48);
  writeField(view, FUSE_CONN_INFO.timeGran, 1);
  const noOpens = CAPABILITY.noOpen | CAPABILITY.noOpendir;
  return {
    opensAreNeeded: (want & noOpens) !== noOpens,
    kernelKeepsTimes: (want & CAPABILITY.writebackCache) !== 0,
  };
}
