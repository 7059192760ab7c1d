/**
 * The thread that serves the kernel. It sets everything up, tells that the mount is there, and then
 * runs the FUSE session, which does not return until the file system is unmounted.
 *
 * @module
 */

import { loadCodecs } from "../backup/mod.ts";
import { pathsIn } from "../binding/mod.ts";
import { type ErrorData, toPbkfsError } from "../errors.ts";
import { byteStringOf } from "../ffi/bytes.ts";
import { systemLibc } from "../ffi/libc.ts";
import { Latencies, Session, Waiting } from "../fuse/mod.ts";
import type { CodecsToLoad, Overlay } from "../overlay/mod.ts";
import { type Begun, serveThread, tell } from "../threads/mod.ts";
import { makeWay } from "./dead_mount.ts";
import { lowerDirtyLimit } from "./dirty_limit.ts";
import { endOnFullDisk } from "./disk_full.ts";
import { ErrandRunner } from "./errands.ts";
import { guardClone } from "./guard_clone.ts";
import { importWal } from "./import_wal.ts";
import { type Opened, openParts } from "./open_parts.ts";
import { uncounted } from "./overlay_files.ts";
import type { DispatcherNews, DispatcherSetup, MountedNews } from "./protocol.ts";
import { report } from "./report.ts";
import { makeServed } from "./served.ts";

serveThread({
  load: ({ systemCodecs }: CodecsToLoad) => loadCodecs({ system: systemCodecs }),
  async begin(setup: DispatcherSetup): Promise<Begun<MountedNews>> {
    const { notes, generation, serve } = await prepare(setup);
    const run = () => {
      try {
        serve();
      } catch (error) {
        throw endOnFullDisk(error, setup.diffPath);
      }
    };
    return { ready: { notes, generation }, run };
  },
});

/** A mount that nobody has been served by yet. */
interface Serving {
  /** For the operator. */
  readonly notes: readonly string[];
  readonly generation: number;
  /** Serves the mount to its end, and then brings everything to disk. */
  serve(): void;
}

/** Mounts. */
async function prepare(setup: DispatcherSetup): Promise<Serving> {
  const { binding, diffPath, mountPath } = setup;
  const opened = await openParts(setup);
  const { libc, counters, diff, isReadOnly } = opened;
  const { overlay, files, clone } = makeServed(opened);
  const close = () => {
    overlay.close();
    diff.committer.close();
    opened.base.close();
  };
  try {
    if (!isReadOnly) overlay.begin();
    if (binding.wal === "inside" && !isReadOnly) {
      importWal(overlay, { libc, fromPath: pathsIn(diffPath).wal, owner: binding.owner });
    }
    const giveUpClaim = setup.replacesDead ? await makeWay({ mountPath, diffPath }) : () => {};
    const session = mount(opened, overlay);
    giveUpClaim();
    const { dirtyBytes } = opened.plan;
    if (opened.gathers && dirtyBytes !== undefined) lowerDirtyLimit(mountPath, dirtyBytes);
    let notes: string[];
    try {
      // A mount that fails leaves a diff as it was, so not before it is there.
      notes = [
        ...diff.notes,
        ...(isReadOnly ? [] : uncounted(counters, () => guardClone(files, clone))),
      ];
    } catch (error) {
      session.close();
      throw error;
    }
    const serve = () => serveToTheEnd(session, { opened, overlay, close });
    return { notes, generation: diff.generation, serve };
  } catch (error) {
    close();
    throw error;
  }
}

/** Mounts the file system, for a session of this thread. */
function mount({ setup, fastPaths, isReadOnly, gathers }: Opened, overlay: Overlay): Session {
  return Session.mount({
    fileSystem: overlay,
    mountPath: byteStringOf(setup.mountPath),
    source: byteStringOf(`pbkfs:${setup.diffPath}`),
    subtype: "pbkfs",
    allowOther: setup.allowOther,
    isReadOnly,
    settings: {
      writebackCache: gathers,
      skipOpens: fastPaths.has("skip_opens"),
      clearPrivileges: fastPaths.has("clear_privileges"),
      ...(fastPaths.has("spin") ? {} : { spinMicros: 0 }),
    },
    onError: report,
    latencies: new Latencies(setup.latencies),
    waiting: new Waiting(setup.waiting),
    errands: new ErrandRunner(setup.errands, systemLibc(), {
      sync: (number) =>
        tell<DispatcherNews>({ synced: { number, ...errorOf(() => overlay.syncAll()) } }),
      commit: (number) =>
        tell<DispatcherNews>({ committed: { number, ...errorOf(() => overlay.commit()) } }),
    }),
    trace: setup.tracing
      ? {
        line: (line) => tell<DispatcherNews>({ trace: { line } }),
        handedOver: (handedOver, request) =>
          tell<DispatcherNews>({ trace: { handedOver, request } }),
      }
      : undefined,
  });
}

/** Serves a mount to its end, and then brings everything to disk. */
function serveToTheEnd(
  session: Session,
  { opened: { reads, diff, isReadOnly }, overlay, close }: {
    readonly opened: Opened;
    readonly overlay: Overlay;
    readonly close: () => void;
  },
): void {
  try {
    session.run();
    tell<DispatcherNews>({ disconnected: true });
    // Other threads may still be answering requests of this session.
    reads.close();
    diff.committer.drain();
    session.close();
    if (!isReadOnly) overlay.flush();
  } finally {
    close();
  }
}

function errorOf(body: () => void): { readonly error?: ErrorData } {
  try {
    body();
    return {};
  } catch (error) {
    return { error: toPbkfsError(error).toJSON() };
  }
}
