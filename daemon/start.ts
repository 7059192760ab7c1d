/**
 * Starts a daemon for a mount, and waits until the mount is there.
 *
 * @module
 */

import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { PbkfsError } from "../errors.ts";
import { asciiJson, guarded, type ProgramCall } from "./guardian.ts";
import { ownCommand } from "./own_command.ts";
import type { MountRequest, StartAnswer } from "./protocol.ts";

/** The command, not for people, that a daemon is started with. */
export const DAEMON_COMMAND = "_daemon";

/** A mount that another process serves. */
export interface StartedMount {
  /** The process that serves it. */
  readonly pid: number;
  /** For the operator. */
  readonly notes: readonly string[];
}

/** How to wait for a daemon. */
export interface StartOptions {
  /** Told whom the daemon waits for. */
  readonly onProgress?: ((text: string) => void) | undefined;
  /** Without a sign of life. */
  readonly waitMs: number;
  /** Whether a process stays that mounts again if the daemon dies. */
  readonly restart: boolean;
}

/** A daemon that waits for others gives up by itself; we allow it to say so. */
const GRACE_MS = 5_000;
/** For a daemon that was told to give up. */
const GIVE_UP_MS = 10_000;

/**
 * Starts a daemon, which outlives this process. SIGINT and SIGTERM, while we wait, end it.
 *
 * @throws {PbkfsError} What the daemon failed with; `MountFailed` if it says nothing for too long.
 */
export async function startDaemon(
  request: MountRequest,
  options: StartOptions,
): Promise<StartedMount> {
  const own = ownCommand();
  const daemon: ProgramCall = {
    program: own.program,
    args: [...own.args, DAEMON_COMMAND],
    env: { ...Deno.env.toObject(), DENO_NO_UPDATE_CHECK: "1" },
  };
  const { program, args, env } = options.restart ? guarded(daemon, request) : daemon;
  const child = spawn(program, args, {
    cwd: "/",
    detached: true,
    env,
    stdio: ["pipe", "pipe", "pipe"],
  });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.stdin.end(asciiJson(request));
  // Once the mount is there, nobody listens any more.
  const talk = text(child.stderr as Readable).catch(() => "");
  const giveUp = () => void child.kill("SIGTERM");
  for (const name of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(name, giveUp);
  let answer: StartAnswer | undefined;
  try {
    answer = await lastAnswer(child, options);
  } finally {
    for (const name of ["SIGINT", "SIGTERM"] as const) Deno.removeSignalListener(name, giveUp);
  }
  if (answer === undefined) {
    // It died. Its guardian takes away what is left.
    child.kill("SIGTERM");
    await ended;
    throw new PbkfsError("Bug", {
      what: `The daemon ended without an answer: ${(await talk).trim() || "it said nothing"}`,
      todo: "Run the command again with --foreground, and report what it prints.",
    });
  }
  if ("error" in answer) throw withTalk(PbkfsError.fromJSON(answer.error), await talk);
  if ("progress" in answer) throw new TypeError("Progress is not an end");
  child.stderr.destroy();
  child.stdout.destroy();
  child.unref();
  return answer.mounted;
}

/** Reads what the daemon prints, up to its last answer. */
async function lastAnswer(
  child: ChildProcess,
  { onProgress, waitMs }: StartOptions,
): Promise<StartAnswer | undefined> {
  let isLate = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const expectAnswer = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      isLate = true;
      child.kill("SIGTERM");
      timer = setTimeout(() => killGroup(child), GIVE_UP_MS);
    }, waitMs + GRACE_MS);
  };
  expectAnswer();
  try {
    for await (const line of createInterface({ input: child.stdout as Readable })) {
      const answer = JSON.parse(line) as StartAnswer;
      if ("progress" in answer) {
        onProgress?.(answer.progress);
        if (!isLate) expectAnswer();
      } else if (!isLate) return answer;
    }
  } finally {
    clearTimeout(timer);
  }
  if (!isLate) return undefined;
  throw new PbkfsError("MountFailed", {
    what: `The mount was not there within ${Math.round(waitMs / 1000)} s, and was given up`,
    todo: "Wait longer with --wait SECONDS; a chain of very many files takes its time.",
  });
}

/** Kills the daemon with all that it has started, and what watches it. */
function killGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, "SIGKILL");
  } catch {
    // They have ended.
  }
}

function withTalk(error: PbkfsError, talk: string): PbkfsError {
  const said = talk.trim();
  if (said === "") return error;
  const { code, message, todo, errno } = error;
  return new PbkfsError(code, { what: `${message}. ${said.replaceAll("\n", "; ")}`, todo, errno });
}
