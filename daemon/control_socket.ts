/**
 * Requests to a running mount: a Unix socket in the diff, one line of JSON each way.
 *
 * Who may connect is up to the kernel: the socket has mode 0600 from the moment that it is there,
 * in a directory that only its owner can write. So that is who mounted, and root.
 *
 * @module
 */

import { rmSync } from "node:fs";
import { removeRest } from "../binding/mod.ts";
import { PbkfsError, toPbkfsError } from "../errors.ts";
import { BoundedListener, type Complain, type Visit } from "../observe/mod.ts";
import type { ControlAnswer, ControlRequest } from "./protocol.ts";
import { withSocketAt, withSocketPath } from "./socket_path.ts";

/** Answers one request. */
export type ControlHandler = (request: ControlRequest) => Promise<ControlAnswer>;

/** Who comes when so many are connected already takes the place of the oldest that asks nothing. */
export const CONTROL_CONNECTIONS_MAX = 8;
/** For those who have asked, when the mount ends. */
const CLOSE_WAIT_MS = 1_000;
/** From connecting to the end of the request, and for taking the answer. */
const THEIR_MS = 2_000;
const REQUEST_BYTES_MAX = 4096;
/** The answers of a mount are a hundredth of this. */
const ANSWER_BYTES_MAX = 1024 * 1024;
/** Of who asks, and is turned away. */
const TRIES_MAX = 5;
const AGAIN_MS = 100;

/** Listens on a socket that only this user, and root, can reach. */
export class ControlServer {
  readonly #listener: BoundedListener;
  readonly #path: string;

  private constructor(path: string, listener: BoundedListener) {
    this.#path = path;
    this.#listener = listener;
  }

  /** Listens at `path`, which may be longer than sockets allow. */
  static async listen(
    path: string,
    handler: ControlHandler,
    complain: Complain = () => {},
  ): Promise<ControlServer> {
    const listener = await BoundedListener.open({
      listen() {
        // The lock on the diff is ours, so a socket that is there belongs to a process that died.
        removeRest(path);
        return withSocketPath(path, listenPrivately);
      },
      connectionsMax: CONTROL_CONNECTIONS_MAX,
      askWithinMs: THEIR_MS,
      serve: (visit) => serve(visit, handler),
      complain,
    });
    return new ControlServer(path, listener);
  }

  /** Waits for answers under way, and takes the socket away. */
  async close(): Promise<void> {
    await this.#listener.close(CLOSE_WAIT_MS);
    rmSync(this.#path, { force: true });
  }
}

/** There is no moment in which others can connect. */
function listenPrivately(path: string): Deno.Listener {
  const umask = Deno.umask(0o177);
  try {
    return Deno.listen({ transport: "unix", path });
  } finally {
    Deno.umask(umask);
  }
}

async function serve(visit: Visit, handler: ControlHandler): Promise<void> {
  const { connection } = visit;
  let answer: ControlAnswer;
  try {
    const line = await readLine(connection, REQUEST_BYTES_MAX);
    visit.workForThem();
    answer = await handler(requestIn(line));
  } catch (error) {
    answer = { error: toPbkfsError(error).toJSON() };
  }
  visit.awaitThem(THEIR_MS);
  // Who asked may be gone; that is its affair.
  await writeLine(connection, JSON.stringify(answer)).catch(() => {});
}

function requestIn(line: string): ControlRequest {
  try {
    const request = JSON.parse(line);
    if (typeof request?.operation === "string") return request;
  } catch {
    // Told below.
  }
  throw new PbkfsError("Usage", { what: "This is no request: expected a line of JSON" });
}

/**
 * Asks a mount.
 *
 * @param signal Gives up.
 * @returns undefined if no process listens there.
 * @throws {PbkfsError} `PermissionDenied` if the mount is somebody else's; `MountBusy` if it has
 * no time for us; `Io` if what answers is not a mount.
 */
export async function ask(
  path: string,
  request: ControlRequest,
  signal?: AbortSignal,
): Promise<ControlAnswer | undefined> {
  for (let tries = 1;; tries++) {
    signal?.throwIfAborted();
    const connection = await connect(path);
    if (connection === undefined) return undefined;
    const line = await askOnce(connection, request, signal);
    if (line !== "") return answerIn(line, path);
    // Turned away, for others; or the process has ended just now, and then nobody listens.
    if (tries < TRIES_MAX) await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    else {
      throw new PbkfsError("MountBusy", {
        what: `The process behind the mount turns everybody away at "${path}"`,
        todo: "Try again in a moment.",
      });
    }
  }
}

async function connect(path: string): Promise<Deno.UnixConn | undefined> {
  try {
    return await withSocketAt(path, (path) => Deno.connect({ transport: "unix", path }));
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
}

/** @returns The line of the answer; empty if the connection was closed instead. */
async function askOnce(
  connection: Deno.UnixConn,
  request: ControlRequest,
  signal: AbortSignal | undefined,
): Promise<string> {
  let isOpen = true;
  const close = () => {
    if (isOpen) connection.close();
    isOpen = false;
  };
  signal?.addEventListener("abort", close);
  try {
    await writeLine(connection, JSON.stringify(request));
    return await readLine(connection, ANSWER_BYTES_MAX);
  } catch (error) {
    const { ConnectionReset, BrokenPipe } = Deno.errors;
    if (error instanceof ConnectionReset || error instanceof BrokenPipe) return "";
    throw error;
  } finally {
    signal?.removeEventListener("abort", close);
    close();
  }
}

function answerIn(line: string, path: string): ControlAnswer {
  try {
    const answer = JSON.parse(line);
    if (typeof answer === "object" && answer !== null) return answer;
  } catch {
    // Told below.
  }
  throw new PbkfsError("Io", { what: `What listens at "${path}" does not answer as a mount does` });
}

async function writeLine(to: Deno.Conn, text: string): Promise<void> {
  const bytes = new TextEncoder().encode(`${text}\n`);
  for (let at = 0; at < bytes.length;) at += await to.write(bytes.subarray(at));
}

/** Up to the end of the line, or of the stream. @throws {PbkfsError} `Usage` if it is too long. */
async function readLine(from: Deno.Conn, bytesMax: number): Promise<string> {
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(4096);
  let text = "";
  for (let got = 0; !text.includes("\n");) {
    const size = await from.read(buffer);
    if (size === null) break;
    got += size;
    if (got > bytesMax) {
      throw new PbkfsError("Usage", { what: `A line is longer than ${bytesMax} bytes` });
    }
    text += decoder.decode(buffer.subarray(0, size), { stream: true });
  }
  return text.split("\n", 1)[0] ?? "";
}
