/**
 * The thread that serves the kernel. It sets everything up, tells that the mount is there, and then
 * runs the FUSE session, which does not return until the file system is unmounted.
 *
 * @module
 */

import { loadCodecs, sourceOf, StoreAlarm } from "../backup/mod.ts";
import { pathsIn } from "../binding/mod.ts";
import { type ErrorData, toPbkfsError } from "../errors.ts";
import { byteStringOf } from "../ffi/bytes.ts";
import { systemLibc } from "../ffi/libc.ts";
import { servingLibc } from "../ffi/serving_libc.ts";
import { Latencies, Session, Waiting } from "../fuse/mod.ts";
import {
  type CodecsToLoad,
  type Overlay,
  OverlayCounters,
  ReadEngine,
  type StoredState,
  timestamp,
} from "../overlay/mod.ts";
import { type Begun, serveThread, tell } from "../threads/mod.ts";
import { makeWay } from "./dead_mount.ts";
import { descriptorBudget } from "./descriptor_budget.ts";
import { ErrandRunner } from "./errands.ts";
import type { FastPaths } from "./fast_paths.ts";
import { guardClone, hazardsOf } from "./guard_clone.ts";
import { importWal } from "./import_wal.ts";
import { endOnFullDisk } from "./disk_full.ts";
import { lowerDirtyLimit } from "./dirty_limit.ts";
import { openRoom } from "./open_room.ts";
import { openDiff } from "./open_diff.ts";
import { OverlayFiles, uncounted } from "./overlay_files.ts";
import type { DispatcherNews, DispatcherSetup, MountedNews } from "./protocol.ts";
import { planSpace, spaceFacts } from "./space_plan.ts";
import { WatchedOverlay } from "./watched_overlay.ts";

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
  const { backup, learnt, binding, diffPath, mountPath } = setup;
  const paths = pathsIn(diffPath);
  const libc = servingLibc();
  const fastPaths: FastPaths = new Set(setup.fastPaths);
  const budget = descriptorBudget(libc.descriptorsMax(), setup.reads?.count ?? 0);
  const counters = new OverlayCounters(setup.counters);
  const codecs = await loadCodecs({ system: fastPaths.has("system_codecs") });
  const base = await sourceOf(backup).open(backup, {
    libc,
    codecs,
    descriptorsMax: budget.storedFiles,
    alarm: new StoreAlarm(setup.alarm),
    layout: {
      mountPath: byteStringOf(mountPath),
      restoredAt: binding.createdAt,
      settings: binding.settings,
      ...(binding.wal === "outside" && { walLink: byteStringOf(paths.wal) }),
    },
  }, learnt);
  const reads = new ReadEngine({
    libc,
    codecs,
    counters: base.counters,
    workers: setup.reads,
    onRead: () => counters.takeOver(base.counters),
  });
  const opened = await openDiff(setup, { base, libc, onError: report });
  const { committer, nextDataId } = opened;
  const isReadOnly = setup.salvage === true;
  const dataDirectory = byteStringOf(paths.data);
  const plan = planSpace(spaceFacts(diffPath, libc));
  const room = isReadOnly ? undefined : openRoom({
    diffPath,
    libc,
    plan,
    shared: setup.space,
    tell: (note) => tell<DispatcherNews>({ note }),
  });
  const makeOverlay = (state: StoredState) =>
    new WatchedOverlay({
      base,
      reads,
      state,
      ...(nextDataId !== undefined && { nextDataId }),
      committer,
      libc,
      dataDirectory,
      dataFilesMax: budget.dataFiles,
      owner: {
        ...binding.owner,
        rootMode: base.rootMode,
        time: timestamp(binding.createdAt),
      },
      counters,
      room: room?.options,
      onCommitDue: () => tell<DispatcherNews>({ commitDue: true }),
    }, () => {
      for (const { from, warning } of uncounted(counters, () => hazardsOf(files, clone))) {
        tell<DispatcherNews>({
          warning: `a server has started on the mount (${from}): ${warning}`,
        });
      }
    });
  const overlay: Overlay = attemptBoth(
    () => makeOverlay(opened.state),
    opened.pristine && (() => makeOverlay(opened.pristine as StoredState)),
  );
  const gathers = room?.gathers === true && fastPaths.has("write_back");
  const files = new OverlayFiles(overlay, binding.owner);
  const clone = { mountPath, serverVersion: binding.serverVersion, owner: binding.owner };
  const close = () => {
    overlay.close();
    committer.close();
    base.close();
  };
  try {
    if (!isReadOnly) overlay.begin();
    if (binding.wal === "inside" && !isReadOnly) {
      importWal(overlay, { libc, fromPath: paths.wal, owner: binding.owner });
    }
    const giveUpClaim = setup.replacesDead ? await makeWay({ mountPath, diffPath }) : () => {};
    const session = Session.mount({
      fileSystem: overlay,
      mountPath: byteStringOf(mountPath),
      source: byteStringOf(`pbkfs:${diffPath}`),
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
    giveUpClaim();
    if (gathers && plan.dirtyBytes !== undefined) lowerDirtyLimit(mountPath, plan.dirtyBytes);
    let notes: string[];
    try {
      // A mount that fails leaves a diff as it was, so not before it is there.
      notes = [
        ...opened.notes,
        ...(isReadOnly ? [] : uncounted(counters, () => guardClone(files, clone))),
      ];
    } catch (error) {
      session.close();
      throw error;
    }
    const serve = () => {
      try {
        session.run();
        tell<DispatcherNews>({ disconnected: true });
        // Other threads may still be answering requests of this session.
        reads.close();
        committer.drain();
        session.close();
        if (!isReadOnly) overlay.flush();
      } finally {
        close();
      }
    };
    return { notes, generation: opened.generation, serve };
  } catch (error) {
    close();
    throw error;
  }
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

function errorOf(body: () => void): { readonly error?: ErrorData } {
  try {
    body();
    return {};
  } catch (error) {
    return { error: toPbkfsError(error).toJSON() };
  }
}

function report(operation: string, error: unknown): void {
  tell<DispatcherNews>({ problem: { what: operation, error: toPbkfsError(error).toJSON() } });
}
