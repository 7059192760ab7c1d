/**
 * A diff opened for a mount: its checked or salvaged state, and the committer of what changes.
 *
 * @module
 */

import type { Base } from "../backup/mod.ts";
import { pathsIn } from "../binding/mod.ts";
import { byteStringOf } from "../ffi/bytes.ts";
import { type Libc, OPEN } from "../ffi/libc.ts";
import { replyError } from "../fuse/mod.ts";
import {
  checkDataFiles,
  type CommitContext,
  type Committer,
  InlineCommitter,
  makeContext,
  MemoryStore,
  PathsOf,
  salvage,
  type StoredState,
  timestamp,
} from "../overlay/mod.ts";
import { strayNotes } from "./lost_and_found.ts";
import { openCommitter } from "./open_committer.ts";
import type { DispatcherSetup } from "./protocol.ts";

/** A diff that can be served. */
export interface OpenedDiff {
  readonly state: StoredState;
  /** If the state contradicts itself; only of a diff that is salvaged. */
  readonly pristine?: StoredState;
  readonly nextDataId?: number;
  readonly committer: Committer;
  readonly generation: number;
  /** For the operator. */
  readonly notes: readonly string[];
}

interface Parts {
  readonly base: Base;
  readonly libc: Libc;
  readonly onError: CommitContext["onError"];
}

/**
 * Opens a diff.
 *
 * @throws {PbkfsError} `DiffDamaged` if something is missing, unless it is to be salvaged.
 */
export async function openDiff(setup: DispatcherSetup, parts: Parts): Promise<OpenedDiff> {
  return await setup.salvage === true ? openSalvaged(setup, parts) : openChecked(setup, parts);
}

async function openChecked(
  setup: DispatcherSetup,
  { base, libc, onError }: Parts,
): Promise<OpenedDiff> {
  const { state: stored, committer } = await openCommitter(setup, onError);
  const { data, lostAndFound: lostDirectory } = pathsIn(setup.diffPath);
  let paths: PathsOf | undefined;
  try {
    const { state, strays, nextDataId } = checkDataFiles({
      libc,
      dataDirectory: data,
      lostDirectory,
      state: stored,
      pathOf: (ino) => (paths ??= new PathsOf(base, stored)).path(ino),
    });
    const { generation } = stored.facts;
    const notes = strayNotes(strays, lostDirectory);
    return { state, nextDataId, committer, generation, notes };
  } catch (error) {
    committer.close();
    throw error;
  }
}

/** Nothing is written: a mount that is read-only commits to memory what its syncs are about. */
async function openSalvaged(
  { diffPath, binding }: DispatcherSetup,
  { base, libc, onError }: Parts,
): Promise<OpenedDiff> {
  const paths = pathsIn(diffPath);
  const dataDirectory = byteStringOf(paths.data);
  const { state, pristine, notes } = await salvage({
    storePath: paths.store,
    generation: binding.metadata?.generation,
    dataDirectory: paths.data,
    base,
    owner: {
      ...binding.owner,
      rootMode: base.rootMode,
      time: timestamp(binding.createdAt),
    },
    libc,
  });
  const committer = new InlineCommitter(makeContext({
    store: new MemoryStore(),
    libc,
    dataDirectory,
    dataDirectoryFd: libc.open(dataDirectory, OPEN.readOnly | OPEN.directory),
    reply: replyError,
    onError,
  }));
  const head = "salvaged, read-only: nothing of the diff is changed";
  return { state, pristine, committer, generation: 0, notes: [head, ...notes] };
}
