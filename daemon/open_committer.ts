/**
 * Who commits what changes in a mount, and what the diff's store holds at its beginning.
 *
 * @module
 */

import { byteStringOf } from "../ffi/bytes.ts";
import { Faults } from "../ffi/faulty_libc.ts";
import { OPEN } from "../ffi/libc.ts";
import { replyError } from "../fuse/mod.ts";
import {
  type CommitContext,
  type Committer,
  InlineCommitter,
  makeContext,
  type MetadataState,
  SqliteStore,
  WorkerCommitter,
} from "../overlay/mod.ts";
import type { DispatcherSetup } from "./protocol.ts";

/** The commit thread; without one, the caller's thread, which then opens the store. */
export function openCommitter(
  { commits, diffPath, faults }: Pick<DispatcherSetup, "commits" | "diffPath" | "faults">,
  { libc, onError }: Pick<CommitContext, "libc" | "onError">,
): { readonly state: MetadataState; readonly committer: Committer } {
  if (commits !== undefined) {
    return { state: commits.state, committer: new WorkerCommitter(commits.channel) };
  }
  const store = new Faults(faults).store(new SqliteStore(`${diffPath}/metadata.sqlite`));
  const state = store.load();
  const dataDirectory = byteStringOf(`${diffPath}/data`);
  const context = makeContext({
    store,
    libc,
    dataDirectory,
    // Closed when the process ends.
    dataDirectoryFd: libc.open(dataDirectory, OPEN.readOnly | OPEN.directory),
    reply: replyError,
    onError,
  });
  return { state, committer: new InlineCommitter(context) };
}
