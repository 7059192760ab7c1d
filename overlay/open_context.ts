/**
 * What commits to a diff work with.
 *
 * @module
 */

import type { ByteString } from "../ffi/bytes.ts";
import { type FaultRule, Faults } from "../ffi/faulty_libc.ts";
import { OPEN, systemLibc } from "../ffi/libc.ts";
import { type CommitContext, makeContext } from "./committer.ts";
import { Reserve } from "./reserve.ts";
import { SqliteStore } from "./sqlite_store.ts";

/** A diff, and who is told how commits to it end. */
export interface OpenContextOptions extends Pick<CommitContext, "reply" | "onError" | "onFailure"> {
  readonly storePath: string;
  readonly dataDirectory: ByteString;
  /** Of the file that keeps space, see {@link Reserve}; nothing is kept if missing. */
  readonly reservePath?: ByteString | undefined;
  /** For tests; usually none. */
  readonly faults: readonly FaultRule[];
}

/** Opens a diff for the thread that commits. @throws {PbkfsError} as {@link SqliteStore} does. */
export function openContext(options: OpenContextOptions): CommitContext {
  const { storePath, dataDirectory, reply, onError } = options;
  const faults = new Faults(options.faults);
  const libc = faults.libc(systemLibc());
  return makeContext({
    store: faults.store(new SqliteStore(storePath)),
    libc,
    dataDirectory,
    dataDirectoryFd: libc.open(dataDirectory, OPEN.readOnly | OPEN.directory),
    reply,
    onError,
    ...(options.onFailure !== undefined && { onFailure: options.onFailure }),
    makeRoom: (sizeBytes) => takeOf(options.reservePath, sizeBytes),
  });
}

/** Takes space of a reserve that somebody else fills. */
function takeOf(path: ByteString | undefined, sizeBytes: number): boolean {
  if (path === undefined) return false;
  try {
    const reserve = new Reserve({ libc: systemLibc(), path, targetBytes: 0 });
    try {
      return reserve.take(sizeBytes);
    } finally {
      reserve.close();
    }
  } catch {
    return false; // There is none.
  }
}
