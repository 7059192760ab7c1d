/**
 * The thread that serves the kernel. It sets everything up, tells that the mount is there, and then
 * runs the FUSE session, which does not return until the file system is unmounted.
 *
 * @module
 */

import { loadCodecs, openChain, PieceReader } from "../backup/mod.ts";
import { toPbkfsError } from "../errors.ts";
import { byteStringOf } from "../ffi/bytes.ts";
import { systemLibc } from "../ffi/libc.ts";
import { Session } from "../fuse/mod.ts";
import {
  baseFiles,
  checkDataFiles,
  Overlay,
  OverlayCounters,
  timestamp,
  WorkerCommitter,
} from "../overlay/mod.ts";
import { importWal } from "./import_wal.ts";
import type { DispatcherNews, DispatcherSetup } from "./protocol.ts";

const scope = self as unknown as {
  onmessage: (event: MessageEvent<DispatcherSetup>) => void;
  postMessage(message: DispatcherNews): void;
};

scope.onmessage = async ({ data }) => {
  let serve: () => void;
  try {
    serve = await prepare(data);
  } catch (error) {
    scope.postMessage({ failed: toPbkfsError(error).toJSON() });
    return;
  }
  scope.postMessage({ mounted: true });
  try {
    serve();
    scope.postMessage({ ended: {} });
  } catch (error) {
    scope.postMessage({ ended: { error: toPbkfsError(error).toJSON() } });
  }
};

/** Mounts. @returns What serves the mount to its end, and then brings everything to disk. */
async function prepare(setup: DispatcherSetup): Promise<() => void> {
  const { spec, binding, diffPath, mountPath, state } = setup;
  const libc = systemLibc();
  const counters = new OverlayCounters(setup.counters);
  const codecs = await loadCodecs();
  const base = await openChain(spec, {
    libc,
    codecs,
    layout: {
      mountPath: byteStringOf(mountPath),
      restoredAt: binding.createdAt,
      settings: binding.settings,
      ...(binding.wal === "outside" && { walLink: byteStringOf(`${diffPath}/wal`) }),
    },
  });
  const reader = new PieceReader({ libc, codecs, counters: base.counters });
  checkDataFiles(`${diffPath}/data`, state);
  const dataDirectory = byteStringOf(`${diffPath}/data`);
  const committer = new WorkerCommitter(setup.commits);
  const overlay = new Overlay({
    base,
    baseFile: baseFiles({ base, reader, onRead: () => counters.takeOver(base.counters) }),
    state,
    committer,
    libc,
    dataDirectory,
    owner: {
      ...binding.owner,
      rootMode: base.rootMode,
      time: timestamp(binding.createdAt),
    },
    counters,
  });
  const close = () => {
    overlay.close();
    committer.close();
    base.close();
  };
  try {
    if (binding.wal === "inside") {
      importWal(overlay, { libc, fromPath: `${diffPath}/wal`, owner: binding.owner });
    }
    const session = Session.mount({
      fileSystem: overlay,
      mountPath: byteStringOf(mountPath),
      source: byteStringOf(`pbkfs:${diffPath}`),
      subtype: "pbkfs",
      allowOther: setup.allowOther,
      onError: report,
    });
    return () => {
      try {
        session.run();
        session.close();
        overlay.flush();
      } finally {
        close();
      }
    };
  } catch (error) {
    close();
    throw error;
  }
}

function report(operation: string, error: unknown): void {
  const { message } = toPbkfsError(error);
  const time = new Date().toISOString();
  Deno.stderr.writeSync(new TextEncoder().encode(`${time} ${operation}: ${message}\n`));
}
