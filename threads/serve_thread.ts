/**
 * A thread, for the code that runs in it. See `thread.ts`.
 *
 * @module
 */

import { toPbkfsError } from "../errors.ts";
import type { ThreadAnswer, ThreadRequest } from "./messages.ts";

/** A thread that has begun. */
export interface Begun<Ready> {
  /** For who has started it. */
  readonly ready: Ready;
  /** Of that: what is handed over. */
  readonly transfer?: readonly Transferable[];
  /** What it does now; when this returns, the thread has ended. Without it, messages wake it. */
  readonly run?: () => void;
}

/** Of the thread that this runs in. */
const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<ThreadRequest<unknown, unknown>>) => void;
  postMessage(message: ThreadAnswer<unknown, unknown>, transfer?: Transferable[]): void;
};

/** Serves who has started this thread; to be called once, when the module is loaded. */
export function serveThread<Load, Setup, Ready>(thread: {
  /** Reads all code that will be needed. */
  load(load: Load): Promise<unknown>;
  begin(setup: Setup): Promise<Begun<Ready>>;
}): void {
  scope.onmessage = async ({ data }) => {
    try {
      if ("load" in data) {
        await thread.load(data.load as Load);
        scope.postMessage({ loaded: true });
        return;
      }
      const { ready, transfer = [], run } = await thread.begin(data.begin as Setup);
      scope.postMessage({ ready }, [...transfer]);
      if (run !== undefined) end(run);
    } catch (error) {
      scope.postMessage({ failed: toPbkfsError(error).toJSON() });
    }
  };
}

/** Tells who has started this thread, also from code that never returns to its event loop. */
export function tell<News>(news: News): void {
  scope.postMessage({ news });
}

function end(run: () => void): void {
  try {
    run();
    scope.postMessage({ ended: {} });
  } catch (error) {
    scope.postMessage({ ended: { error: toPbkfsError(error).toJSON() } });
  }
}
