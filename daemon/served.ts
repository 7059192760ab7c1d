/**
 * The file system of a mount.
 *
 * @module
 */

import { pathsIn } from "../binding/mod.ts";
import { byteStringOf } from "../ffi/bytes.ts";
import { type Overlay, type OverlayOptions, type StoredState, timestamp } from "../overlay/mod.ts";
import { tell } from "../threads/mod.ts";
import { type Clone, hazardsOf } from "./guard_clone.ts";
import type { Opened } from "./open_parts.ts";
import { OverlayFiles, uncounted } from "./overlay_files.ts";
import type { DispatcherNews } from "./protocol.ts";
import { report } from "./report.ts";
import { WatchedOverlay } from "./watched_overlay.ts";

/** What is served. */
export interface Served {
  readonly overlay: Overlay;
  /** For ourselves. */
  readonly files: OverlayFiles;
  readonly clone: Clone;
}

/** Makes the file system, which watches for servers that start on it. */
export function makeServed(opened: Opened): Served {
  const { setup: { binding, mountPath }, counters, diff } = opened;
  const tellHazards = () => {
    for (const { from, warning } of uncounted(counters, () => hazardsOf(files, clone))) {
      tell<DispatcherNews>({
        warning: `a server has started on the mount (${from}): ${warning}`,
      });
    }
  };
  const make = (state: StoredState) =>
    new WatchedOverlay(overlayOptions(opened, state), tellHazards);
  const { pristine } = diff;
  const overlay = attemptBoth(() => make(diff.state), pristine && (() => make(pristine)));
  const files = new OverlayFiles(overlay, binding.owner);
  const clone = { mountPath, serverVersion: binding.serverVersion, owner: binding.owner };
  return { overlay, files, clone };
}

function overlayOptions(
  { setup: { binding, diffPath }, base, reads, diff, libc, budget, counters, room }: Opened,
  state: StoredState,
): OverlayOptions {
  const { committer, nextDataId } = diff;
  return {
    ...{ base, reads, state, committer, libc, counters },
    ...(nextDataId !== undefined && { nextDataId }),
    dataDirectory: byteStringOf(pathsIn(diffPath).data),
    dataFilesMax: budget.dataFiles,
    owner: {
      ...binding.owner,
      rootMode: base.rootMode,
      time: timestamp(binding.createdAt),
    },
    room: room?.options,
    onCommitDue: () => tell<DispatcherNews>({ commitDue: true }),
  };
}

/** What is salvaged may contradict itself; then there is something else. */
function attemptBoth<T>(first: () => T, second: (() => T) | undefined): T {
  try {
    return first();
  } catch (error) {
    if (second === undefined) throw error;
    report("use the metadata", error);
    return second();
  }
}
