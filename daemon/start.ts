/**
 * Starts a daemon for a mount, and waits until the mount answers.
 *
 * @module
 */

import { spawn } from "node:child_process";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { PbkfsError } from "../errors.ts";
import { ownCommand } from "./own_command.ts";
import type { MountRequest, StartAnswer } from "./protocol.ts";

/** The command, not for people, that a daemon is started with. */
export const DAEMON_COMMAND = "_daemon";

/** A mount that another process serves. */
export interface StartedMount {
  readonly pid: number;
  /** For the operator. */
  readonly notes: readonly string[];
}

/**
 * Starts a daemon, which outlives this process.
 *
 * @throws {PbkfsError} What the daemon failed with.
 */
export async function startDaemon(request: MountRequest): Promise<StartedMount> {
  const { program, args } = ownCommand();
  const child = spawn(program, [...args, DAEMON_COMMAND], {
    cwd: "/",
    detached: true,
    env: { ...Deno.env.toObject(), DENO_NO_UPDATE_CHECK: "1" },
    stdio: ["pipe", "pipe", "pipe"],
  });
  child.stdin.end(JSON.stringify(request));
  const talk = text(child.stderr as Readable);
  const line = await firstLine(child.stdout as Readable);
  if (line === undefined) {
    throw new PbkfsError("Bug", {
      what: `The daemon ended without an answer: ${(await talk).trim() || "it said nothing"}`,
      todo: "Run the command again with --foreground, and report what it prints.",
    });
  }
  const answer = JSON.parse(line) as StartAnswer;
  if ("error" in answer) {
    const error = PbkfsError.fromJSON(answer.error);
    const said = (await talk).trim();
    if (said === "") throw error;
    throw new PbkfsError(error.code, {
      what: `${error.message}. ${said.replaceAll("\n", "; ")}`,
      todo: error.todo,
      errno: error.errno,
    });
  }
  child.stderr.destroy();
  child.stdout.destroy();
  child.unref();
  return answer.mounted;
}

async function firstLine(from: Readable): Promise<string | undefined> {
  let text = "";
  for await (const chunk of from) {
    text += chunk;
    const end = text.indexOf("\n");
    if (end >= 0) return text.slice(0, end);
  }
  return undefined;
}
