/**
 * Runs a program that is not ours, which may hang, print without end, or leave others behind.
 *
 * @module
 */

import { type ChildProcess, spawn } from "node:child_process";
import type { Readable } from "node:stream";

/** How much of a program is borne. */
export interface ProgramLimits {
  /** From its start to the end of its output. */
  readonly timeoutMs: number;
  /** Of stdout; of stderr only the last part is kept, however much there is. */
  readonly outputBytesMax: number;
  /** Who runs it, if not we: then it gets no group but this one, and hardly anything of our environment. */
  readonly user?: { readonly uid: number; readonly gid: number } | undefined;
}

/** How a program ended: by itself, or because it was ended for being too slow or too talkative. */
export type ProgramEnd =
  | {
    readonly kind: "exited";
    /** null if a signal ended it. */
    readonly code: number | null;
    readonly signal: string | null;
    readonly stdout: Uint8Array<ArrayBuffer>;
    readonly stderr: Uint8Array<ArrayBuffer>;
  }
  | { readonly kind: "late" }
  | { readonly kind: "endless" };

/** Between asking to end and making it end. */
const GRACE_MS = 500;
/** A program has exited, but others that it started have its output open: they are not waited for. */
const DRAIN_MS = 1_000;
const STDERR_BYTES_MAX = 64 * 1024;
const TIMER_MS_MAX = 2 ** 31 - 1;
const PUBLIC_VARIABLES = ["PATH", "LANG", "LC_ALL", "LC_CTYPE", "LC_MESSAGES", "TZ"];
/** What would end us leaves the program, which has a session of its own, alone. */
const ENDING = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Runs a program with nothing to read, and returns within its limits, whatever it does. If it was
 * not done by then, it is killed with all that it started.
 *
 * @throws What starting it failed with: {@link Deno.errors.NotFound} if there is no such program.
 */
export async function runBounded(
  program: string,
  args: readonly string[],
  { timeoutMs, outputBytesMax, user }: ProgramLimits,
): Promise<ProgramEnd> {
  const limits = { timeoutMs: Math.min(timeoutMs, TIMER_MS_MAX), outputBytesMax };
  const started: { child?: ChildProcess } = {};
  // Before there is a program: whoever ends us then ends it as well.
  using _ending = whenEnding(() => started.child && signalAll(started.child, "SIGKILL"));
  // Detached: in a session of its own, so that all of it can be killed at once.
  const child = spawn(user === undefined ? program : absolute(program), args, {
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
    ...(user !== undefined && { ...user, cwd: "/", env: publicEnvironment() }),
  });
  started.child = child;
  try {
    const end = await endOf(child, limits);
    if (end.kind !== "exited") await killAll(child);
    return end;
  } finally {
    for (const stream of [child.stdout, child.stderr] as Readable[]) stream.destroy();
    if (child.pid !== undefined) child.unref();
  }
}

/** For another user, who may not reach our directory, and can read the environment of the program. */
function publicEnvironment(): Record<string, string> {
  return Object.fromEntries(
    PUBLIC_VARIABLES.map((name) => [name, Deno.env.get(name)])
      .filter((pair): pair is [string, string] => pair[1] !== undefined),
  );
}

/** A program that is not looked for on PATH is meant from our directory on. */
function absolute(program: string): string {
  const isRelative = program.includes("/") && !program.startsWith("/");
  return isRelative ? `${Deno.cwd()}/${program}` : program;
}

/** Listens to a program, until it has ended or has reached a limit. */
async function endOf(
  child: ChildProcess,
  { timeoutMs, outputBytesMax }: ProgramLimits,
): Promise<ProgramEnd> {
  const { promise, resolve, reject } = Promise.withResolvers<ProgramEnd>();
  const output = new Kept(outputBytesMax);
  const talk = new Kept(STDERR_BYTES_MAX);
  const limit = setTimeout(() => resolve({ kind: "late" }), timeoutMs);
  let drained: ReturnType<typeof setTimeout> | undefined;
  child.stdout!.on("data", (bytes: Uint8Array) => {
    if (!output.add(bytes)) resolve({ kind: "endless" });
  });
  child.stderr!.on("data", (bytes: Uint8Array) => void (talk.add(bytes) || talk.cut()));
  child.once("error", (error) => reject(asDenoError(error)));
  child.once("exit", (code, signal) => {
    const done = () => {
      resolve({ kind: "exited", code, signal, stdout: output.bytes(), stderr: talk.bytes() });
    };
    clearTimeout(limit);
    child.once("close", done);
    drained = setTimeout(done, DRAIN_MS);
  });
  try {
    return await promise;
  } finally {
    clearTimeout(limit);
    clearTimeout(drained);
  }
}

/** Does something before a signal ends us. */
function whenEnding(last: () => void): Disposable {
  const listeners = ENDING.map((name) => ({
    name,
    listener() {
      last();
      letGo();
      Deno.kill(Deno.pid, name);
    },
  }));
  const letGo = () => {
    for (const { name, listener } of listeners) Deno.removeSignalListener(name, listener);
  };
  for (const { name, listener } of listeners) Deno.addSignalListener(name, listener);
  return { [Symbol.dispose]: letGo };
}

/** Bytes, up to so many. */
class Kept {
  #chunks: Uint8Array[] = [];
  #size = 0;

  constructor(private readonly sizeBytesMax: number) {}

  /** @returns Whether it is not too much yet. */
  add(bytes: Uint8Array): boolean {
    if (this.#size <= this.sizeBytesMax) this.#chunks.push(bytes);
    this.#size += bytes.length;
    return this.#size <= this.sizeBytesMax;
  }

  /** Keeps the last part. */
  cut(): void {
    const all = this.bytes();
    this.#chunks = [all.subarray(Math.max(0, all.length - this.sizeBytesMax / 2))];
    this.#size = this.#chunks[0]!.length;
  }

  bytes(): Uint8Array<ArrayBuffer> {
    const all = new Uint8Array(this.#chunks.reduce((size, chunk) => size + chunk.length, 0));
    let at = 0;
    for (const chunk of this.#chunks) {
      all.set(chunk, at);
      at += chunk.length;
    }
    return all;
  }
}

/** Asks a program and all that it started to end, and does not rely on it. */
async function killAll(child: ChildProcess): Promise<void> {
  signalAll(child, "SIGTERM");
  await hasExited(child, GRACE_MS);
  signalAll(child, "SIGKILL");
  // One that waits for a disk that does not answer cannot be killed. It is not waited for.
  await hasExited(child, GRACE_MS);
}

async function hasExited(child: ChildProcess, timeoutMs: number): Promise<void> {
  if (!isRunning(child)) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  child.once("exit", () => resolve());
  const timer = setTimeout(resolve, timeoutMs);
  await promise;
  clearTimeout(timer);
}

function isRunning({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode === null && signalCode === null;
}

/** Sends a signal to the program's process group, and to those that left it. */
function signalAll(child: ChildProcess, signal: Deno.Signal): void {
  const { pid } = child;
  if (pid === undefined) return;
  // When it has exited, its number may be another's by now.
  const others = descendantsOf(pid).filter((other) => other !== pid || isRunning(child));
  for (const target of [-pid, ...others]) {
    try {
      Deno.kill(target, signal);
    } catch {
      // Ended meanwhile, or another user's.
    }
  }
}

/** Processes that a process started, as far as they have not been orphaned; and its session. */
function descendantsOf(ancestor: number): number[] {
  const all = [...Deno.readDirSync("/proc")].filter(({ name }) => /^\d+$/.test(name))
    .map(({ name }) => ({ pid: Number(name), ...parentOf(name) }));
  const found = new Set([ancestor]);
  for (let count = 0; count !== found.size;) {
    count = found.size;
    for (const { pid, parent, session } of all) {
      if (found.has(parent) || session === ancestor) found.add(pid);
    }
  }
  return [...found];
}

/** `/proc/PID/stat`: after the name, which may hold anything: state, parent, group, session. */
function parentOf(pid: string): { readonly parent: number; readonly session: number } {
  try {
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    const [, parent, , session] = stat.slice(stat.lastIndexOf(")") + 2).split(" ").map(Number);
    return { parent: parent ?? 0, session: session ?? 0 };
  } catch {
    return { parent: 0, session: 0 };
  }
}

function asDenoError(error: Error): Error {
  const { code } = error as { code?: string };
  return code === "ENOENT" ? new Deno.errors.NotFound(error.message, { cause: error }) : error;
}
