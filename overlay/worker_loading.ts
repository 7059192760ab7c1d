/**
 * Loads a worker's code before it is told what to do. Who acts for another user later may not be able
 * to read the program any more: all that a thread will need is read while it may.
 *
 * @module
 */

/** Asks a worker to load what it needs. It answers with {@link Loaded}. */
export interface LoadRequest {
  readonly load: { readonly systemCodecs: boolean };
}

/** The answer to a {@link LoadRequest}. */
export type Loaded = { readonly loaded: true } | { readonly loadFailed: string };

/** Has a new worker load its code, and waits until it has. @throws if it cannot. */
export async function loadWorker(worker: Worker, request: LoadRequest): Promise<Worker> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  worker.onmessage = ({ data }: MessageEvent<Loaded>) => {
    if ("loaded" in data) resolve();
    else reject(new Error(data.loadFailed));
  };
  worker.onerror = (event) => {
    event.preventDefault();
    reject(new Error(event.message));
  };
  worker.postMessage(request);
  try {
    await promise;
    return worker;
  } catch (error) {
    worker.terminate();
    throw error;
  }
}

/** In a worker: handles a request to load, if that is what came. */
export function isLoadRequest(data: object): data is LoadRequest {
  return "load" in data;
}

/** In a worker: carries out a request to load, and answers it. */
export async function answerLoad(
  load: () => Promise<unknown>,
  answer: (loaded: Loaded) => void,
): Promise<void> {
  try {
    await load();
    answer({ loaded: true });
  } catch (error) {
    answer({ loadFailed: error instanceof Error ? error.message : String(error) });
  }
}
