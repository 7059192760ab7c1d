/**
 * Requests to a running mount: a Unix socket in the diff, one line of JSON each way.
 *
 * @module
 */

import { toPbkfsError } from "../errors.ts";
import type { ControlAnswer, ControlRequest } from "./protocol.ts";

/** Answers one request. */
export type ControlHandler = (request: ControlRequest) => Promise<ControlAnswer>;

/** Listens on a socket that only this user can reach. */
export class ControlServer {
  readonly #listener: Deno.UnixListener;
  readonly #path: string;
  readonly #open = new Set<Promise<void>>();

  constructor(path: string, handler: ControlHandler) {
    this.#path = path;
    // The lock on the diff is ours, so a socket that is there belongs to a process that died.
    removeIfThere(path);
    this.#listener = Deno.listen({ transport: "unix", path });
    Deno.chmodSync(path, 0o600);
    void this.#accept(handler);
  }

  /** Waits for answers under way, and takes the socket away. */
  async close(): Promise<void> {
    await Promise.allSettled([...this.#open]);
    this.#listener.close();
    removeIfThere(this.#path);
  }

  async #accept(handler: ControlHandler): Promise<void> {
    for await (const connection of this.#listener) {
      const served = serve(connection, handler).finally(() => this.#open.delete(served));
      this.#open.add(served);
    }
  }
}

async function serve(connection: Deno.UnixConn, handler: ControlHandler): Promise<void> {
  try {
    const request = JSON.parse(await readLine(connection)) as ControlRequest;
    await writeLine(connection, JSON.stringify(await handler(request)));
  } catch (error) {
    const answer: ControlAnswer = { error: toPbkfsError(error).toJSON() };
    // Who asked may be gone; that is its affair.
    await writeLine(connection, JSON.stringify(answer)).catch(() => {});
  } finally {
    connection.close();
  }
}

/** Asks a mount. @returns undefined if no process listens there. */
export async function ask(
  path: string,
  request: ControlRequest,
): Promise<ControlAnswer | undefined> {
  let connection: Deno.UnixConn;
  try {
    connection = await Deno.connect({ transport: "unix", path });
  } catch (error) {
    const { ConnectionRefused, NotFound } = Deno.errors;
    if (error instanceof ConnectionRefused || error instanceof NotFound) return undefined;
    throw error;
  }
  try {
    await writeLine(connection, JSON.stringify(request));
    const line = await readLine(connection);
    return line === "" ? undefined : JSON.parse(line);
  } finally {
    connection.close();
  }
}

async function writeLine(to: Deno.UnixConn, text: string): Promise<void> {
  const bytes = new TextEncoder().encode(`${text}\n`);
  for (let at = 0; at < bytes.length;) at += await to.write(bytes.subarray(at));
}

/** Up to the end of the line, or of the stream. */
async function readLine(from: { read(to: Uint8Array): Promise<number | null> }): Promise<string> {
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(4096);
  let text = "";
  while (!text.includes("\n")) {
    const size = await from.read(buffer);
    if (size === null) break;
    text += decoder.decode(buffer.subarray(0, size), { stream: true });
  }
  return text.split("\n", 1)[0] ?? "";
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}
