/**
 * A diff's metadata store and data directory, opened for the thread that commits to it.
 *
 * @module
 */

import { type ByteString, printable } from "../../ffi/bytes.ts";
import { OPEN, systemLibc } from "../../ffi/libc.ts";
import { servingLibc } from "../../ffi/serving_libc.ts";
import { Reserve } from "../data/reserve.ts";
import type { PromptStore } from "../store/metadata_store.ts";
import { SqliteStore } from "../store/sqlite_store.ts";
import { type CommitContext, makeContext } from "./committer.ts";

/** A diff, and who is told how commits to it end. */
export interface OpenContextOptions extends Pick<CommitContext, "reply" | "onError" | "onFailure"> {
  readonly storePath: string;
  /** The generation that the store must have reached; missing if that is not known. */
  readonly generation?: number | undefined;
  readonly dataDirectory: ByteString;
  /** Of the file that keeps space, see {@link Reserve}; nothing is kept if missing. */
  readonly reservePath?: ByteString | undefined;
}

/** Opens a diff for who commits. @throws {PbkfsError} as {@link SqliteStore} does. */
export function openContext(options: OpenContextOptions): CommitContext<PromptStore> {
  const { storePath, generation, dataDirectory, reply, onError } = options;
  const libc = servingLibc();
  return makeContext({
    store: new SqliteStore(storePath, {
      generation,
      // An earlier pbkfs has told nowhere that there is one; but no data file comes before it.
      mustExist: isLost(storePath) && hasDataFiles(dataDirectory),
      onProblem: onError,
    }),
    libc,
    dataDirectory,
    dataDirectoryFd: libc.open(dataDirectory, OPEN.readOnly | OPEN.directory),
    reply,
    onError,
    ...(options.onFailure !== undefined && { onFailure: options.onFailure }),
    makeRoom: (sizeBytes) => takeOf(options.reservePath, sizeBytes),
  });
}

function isLost(storePath: string): boolean {
  try {
    return Deno.statSync(storePath).size === 0;
  } catch {
    return true; // What is wrong with it, opening tells.
  }
}

function hasDataFiles(directory: ByteString): boolean {
  return [...Deno.readDirSync(printable(directory))].some(({ name }) =>
    /^[0-9a-f]{16}$/.test(name)
  );
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
