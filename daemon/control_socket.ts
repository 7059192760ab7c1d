/**
 * Requests to a running mount: a Unix socket in the diff, one line of JSON each way.
 *
 * @module
 */

import { rmSync } from "node:fs";
import { PbkfsError, toPbkfsError } from "../errors.ts";
import type { ControlAnswer, ControlRequest } from "./protocol.ts";
import { withSocketPath } from "./socket_path.ts";

/** Answers one request. */
export type ControlHandler = (request: ControlRequest) => Promise<ControlAnswer>;

/** For somebody who has connected, but asks nothing. */
const CLOSE_WAIT_MS = 1_000;

/** Who comes when so many are connected already is turned away. */
const CONNECTIONS_MAX = 16;
const ACCEPT_AGAIN_MS = 200;

/** Listens on a socket that only this user can reach. */
export class ControlServer {
  readonly #listener: Deno.UnixListener;
  readonly #path: string;
  readonly #open = new Set<Promise<void>>();
  #isClosed = false;

  private constructor(path: string, listener: Deno.UnixListener, handler: ControlHandler) {
    this.#path = path;
    this.#listener = listener;
    void this.#accept(handler);
  }

  /** Listens at `path`, which may be longer than sockets allow. */
  static async listen(path: string, handler: ControlHandler): Promise<ControlServer> {
    // The lock on the diff is ours, so a socket that is there belongs to a process that died.
    rmSync(path, { force: true });
    const listen = (path: string) => Deno.listen({ transport: "unix", path });
    const listener = await withSocketPath(path, listen);
    Deno.chmodSync(path, 0o600);
    return new ControlServer(path, listener, handler);
  }

  /** Waits for answers under way, and takes the socket away. */
  async close(): Promise<void> {
    const answered = Promise.allSettled([...this.#open]);
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, CLOSE_WAIT_MS);
    await Promise.race([answered, late]);
    clearTimeout(timer);
    this.#isClosed = true;
    this.#listener.close();
    rmSync(this.#path, { force: true });
  }

  async #accept(handler: ControlHandler): Promise<void> {
    while (!this.#isClosed) {
      let connection: Deno.UnixConn;
      try {
        connection = await this.#listener.accept();
      } catch {
        // Closed, or too many files are open: a mount does not end because somebody asks it.
        if (!this.#isClosed) await new Promise((resolve) => setTimeout(resolve, ACCEPT_AGAIN_MS));
        continue;
      }
      if (this.#open.size >= CONNECTIONS_MAX) {
        connection.close();
        continue;
      }
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

/**
 * Asks a mount.
 *
 * @returns undefined if no process listens there.
 * @throws {PbkfsError} `PermissionDenied` if the mount is somebody else's.
 */
export async function ask(
  path: string,
  request: ControlRequest,
): Promise<ControlAnswer | undefined> {
  let connection: Deno.UnixConn;
  try {
    const connect = (path: string) => Deno.connect({ transport: "unix", path });
    connection = await withSocketPath(path, connect);
  } catch (error) {
    const { ConnectionRefused, NotFound } = Deno.errors;
    if (error instanceof ConnectionRefused || error instanceof NotFound) return undefined;
    if (!(error instanceof Deno.errors.PermissionDenied)) throw error;
    throw new PbkfsError("PermissionDenied", {
      what: `Cannot talk to the process behind the mount at "${path}": ${error.message}`,
      todo: "Run pbkfs as the user who mounted.",
      cause: error,
    });
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
