/**
 * Lets others connect, but only so many at a time, and none of them for long without asking for
 * something. Whoever connects, and however often, a mount pays with a few descriptors.
 *
 * @module
 */

import type { Complain } from "./survive.ts";

/** Somebody who has connected. */
export interface Visit {
  readonly connection: Deno.Conn;
  /**
   * We wait for them, to ask or to take the answer, but for so long at most. Meanwhile the
   * connection may be closed for somebody else's, the oldest first.
   */
  awaitThem(timeoutMs: number): void;
  /** They wait for us: the connection stays open. */
  workForThem(): void;
  close(): void;
}

/** What is listened to, and for whom. */
export interface ListenerOptions {
  /** Called again if the listener has failed. */
  readonly listen: () => Deno.Listener | Promise<Deno.Listener>;
  readonly connectionsMax: number;
  /** Until they have asked for something. */
  readonly askWithinMs: number;
  /** Serves one of them. The connection is closed when it has ended, however it does. */
  readonly serve: (visit: Visit) => Promise<void>;
  readonly complain: Complain;
}

/** After a failure, as when this process has too many files open. */
const AGAIN_MS = 200;
/** What fails that often, one time after another, is opened anew. */
const FAILURES_MAX = 5;

/** A listener that goes on, whatever strangers do. */
export class BoundedListener {
  readonly #options: ListenerOptions;
  /** Oldest first. */
  readonly #visits = new Map<OpenVisit, Promise<void>>();
  #listener: Deno.Listener;
  #isClosed = false;

  private constructor(listener: Deno.Listener, options: ListenerOptions) {
    this.#listener = listener;
    this.#options = options;
    void this.#run();
  }

  /** @throws What `listen` throws. */
  static async open(options: ListenerOptions): Promise<BoundedListener> {
    return new BoundedListener(await options.listen(), options);
  }

  /** Where it listens. */
  get address(): Deno.Addr {
    return this.#listener.addr;
  }

  /** Waits for answers under way, but not for those who ask nothing. */
  async close(waitMs: number): Promise<void> {
    for (const visit of this.#visits.keys()) if (!visit.isWorkedFor) visit.close();
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, waitMs);
    await Promise.race([Promise.allSettled([...this.#visits.values()]), late]);
    clearTimeout(timer);
    this.#isClosed = true;
    for (const visit of this.#visits.keys()) visit.close();
    closeQuietly(this.#listener);
  }

  async #run(): Promise<void> {
    for (let failures = 0; !this.#isClosed;) {
      try {
        if (failures > FAILURES_MAX) {
          closeQuietly(this.#listener);
          this.#listener = await this.#options.listen();
          if (this.#isClosed) closeQuietly(this.#listener);
        }
        // One at a time: who is turned away is gone before the next one takes a descriptor.
        this.#admit(await this.#listener.accept());
        failures = 0;
      } catch (error) {
        if (this.#isClosed) return;
        failures++;
        this.#options.complain("accepting a connection failed", error);
        await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
      }
    }
  }

  #admit(connection: Deno.Conn): void {
    const { connectionsMax, askWithinMs, serve, complain } = this.#options;
    const idle = [...this.#visits.keys()].find(({ isWorkedFor }) => !isWorkedFor);
    if (this.#visits.size >= connectionsMax) {
      if (idle === undefined) return closeQuietly(connection);
      idle.close();
      this.#visits.delete(idle);
    }
    const visit = new OpenVisit(connection);
    visit.awaitThem(askWithinMs);
    const served = serve(visit)
      .catch((error) => complain("answering failed", error))
      .finally(() => {
        visit.close();
        this.#visits.delete(visit);
      });
    this.#visits.set(visit, served);
  }
}

class OpenVisit implements Visit {
  #timer: ReturnType<typeof setTimeout> | undefined;
  isWorkedFor = false;

  constructor(readonly connection: Deno.Conn) {}

  awaitThem(timeoutMs: number): void {
    this.isWorkedFor = false;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.close(), timeoutMs);
  }

  workForThem(): void {
    this.isWorkedFor = true;
    clearTimeout(this.#timer);
  }

  close(): void {
    clearTimeout(this.#timer);
    closeQuietly(this.connection);
  }
}

/** What is closed already, or gone, needs no more. */
function closeQuietly(what: { close(): void }): void {
  try {
    what.close();
  } catch {
    // As above.
  }
}
