/**
 * The committer of a mount, opened together with what the diff's store holds at the beginning.
 *
 * @module
 */

import { byteStringOf } from "../ffi/bytes.ts";
import { replyError } from "../fuse/mod.ts";
import {
  type CommitContext,
  type Committer,
  InlineCommitter,
  openContext,
  promised,
  StoredState,
  WorkerCommitter,
} from "../overlay/mod.ts";
import { pathsIn } from "../binding/mod.ts";
import type { DispatcherSetup } from "./protocol.ts";

/** The commit thread; without one, the caller's thread, which then opens the store. */
export async function openCommitter(
  { commits, diffPath, binding }: Pick<
    DispatcherSetup,
    "commits" | "diffPath" | "binding"
  >,
  onError: CommitContext["onError"],
): Promise<{ readonly state: StoredState; readonly committer: Committer }> {
  if (commits !== undefined) {
    return {
      state: new StoredState(commits.state),
      committer: new WorkerCommitter(commits.channel),
    };
  }
  const paths = pathsIn(diffPath);
  const context = openContext({
    storePath: paths.store,
    generation: binding.metadata?.generation,
    dataDirectory: byteStringOf(paths.data),
    reservePath: byteStringOf(paths.reserve),
    reply: replyError,
    onError,
  });
  return {
    state: new StoredState(await promised(context.store).loadPacked()),
    committer: new InlineCommitter(context),
  };
}
