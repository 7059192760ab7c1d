/**
 * A thread, for who starts it.
 *
 * A thread loads its code before it is told what to do: who acts for another user later may not be
 * able to read the program any more, so all that a thread will need is read while it may.
 *
 * @module
 */

import { PbkfsError, toPbkfsError } from "../errors.ts";
import type { ThreadAnswer, ThreadRequest } from "./messages.ts";

/**
 * A worker with a beginning and an end. It loads what `Load` says, begins with a `Setup`, answers
 * `Ready`, and then tells `News`, all of them plain data. The other side is `serveThread`.
 */
export class Thread<Load, Setup, Ready, News> {
  readonly #worker: Worker;
  readonly #ended = Promise.withResolvers<void>();
  #answer: PromiseWithResolvers<Ready | undefined> | undefined;
  #onNews: (news: News) => void = () => {};

  /** @param module Of the thread; it calls `serveThread`. */
  constructor(module: URL) {
    this.#worker = new Worker(module, { type: "module" });
    // Whoever waits for the end learns of it; until somebody does, it is no unhandled rejection.
    this.#ended.promise.catch(() => {});
    this.#worker.onmessage = ({ data }: MessageEvent<ThreadAnswer<Ready, News>>) => {
      if ("news" in data) this.#onNews(data.news);
      else if ("loaded" in data) this.#answer?.resolve(undefined);
      else if ("ready" in data) this.#answer?.resolve(data.ready);
      else if ("failed" in data) this.#answer?.reject(PbkfsError.fromJSON(data.failed));
      else if (data.ended.error === undefined) this.#ended.resolve();
      else this.#ended.reject(PbkfsError.fromJSON(data.ended.error));
    };
    this.#worker.onerror = (event) => {
      event.preventDefault();
      const error = toPbkfsError(new Error(event.message));
      // Who waits for an answer is told, and else who waits for the end.
      if (this.#answer !== undefined) this.#answer.reject(error);
      else this.#ended.reject(error);
    };
  }

  /** Settles when the work is done. @throws {PbkfsError} what it has failed with. */
  get ended(): Promise<void> {
    return this.#ended.promise;
  }

  /** Has the thread load its code, and waits until it has. @throws {PbkfsError} if it cannot. */
  async load(load: Load): Promise<this> {
    await this.#ask({ load }, []);
    return this;
  }

  /**
   * Tells the thread what to do, and waits until it has begun. One that could not is terminated.
   *
   * @param options.transfer Of the setup: what is handed over.
   * @throws {PbkfsError} what it has failed with.
   */
  async begin(
    setup: Setup,
    { transfer = [], onNews = () => {} }: {
      readonly transfer?: readonly Transferable[];
      readonly onNews?: (news: News) => void;
    } = {},
  ): Promise<Ready> {
    this.#onNews = onNews;
    return await this.#ask({ begin: setup }, transfer) as Ready;
  }

  /** Ends the thread, whatever it does. Nobody is told. */
  terminate(): void {
    this.#worker.terminate();
  }

  async #ask(
    request: ThreadRequest<Load, Setup>,
    transfer: readonly Transferable[],
  ): Promise<Ready | undefined> {
    const answer = Promise.withResolvers<Ready | undefined>();
    this.#answer = answer;
    try {
      this.#worker.postMessage(request, [...transfer]);
      return await answer.promise;
    } catch (error) {
      this.terminate();
      throw error;
    } finally {
      this.#answer = undefined;
    }
  }
}
