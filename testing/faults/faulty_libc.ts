/**
 * Faults on purpose, for tests: a {@link Libc} in which chosen calls fail, or end the process.
 *
 * A plan is text, as in the environment variable `PBKFS_FAULTS` of `testing/faults/faulty_cli.ts`;
 * rules are separated by semicolons, and each has the form
 *
 * ```
 * CALL[:PATH]@FIRST[-LAST]=ACTION         such as   fdatasync:/data/@3-=EIO; commit@2=kill-after
 * ```
 *
 * - CALL is a function of {@link Libc}, or `commit`, a commit of the metadata store.
 * - PATH limits the rule to files whose path contains it.
 * - FIRST and LAST say which of these calls, counted from 1 in each thread; `3-` is the third and
 *   all that follow, `3` the third alone.
 * - ACTION is the name of an errno, with which the call then fails; `kill-before` or `kill-after`,
 *   which kill the process (SIGKILL) before or after the call; `stop-before`, which stops it
 *   (SIGSTOP) before the call.
 *
 * Of several rules that fit a call, the first counts; all of them count the call.
 *
 * @module
 */

import { ERRNO, PbkfsError } from "../../errors.ts";
import { type ByteString, printable } from "../../ffi/bytes.ts";
import type { Fd, Libc } from "../../ffi/libc.ts";

/** Calls that act on a file that is open. */
const FD_CALLS = [
  "close",
  "dup",
  "read",
  "write",
  "pread",
  "pwrite",
  "seek",
  "ftruncate",
  "fallocate",
  "fdatasync",
  "fsync",
  "fstat",
  "flock",
  "fstatvfs",
  "syncFileSystem",
] as const;
/** Calls that act on a name. */
const PATH_CALLS = ["open", "unlink"] as const;
/** A commit of the metadata store. It has no path. */
const COMMIT = "commit";

/** A call that a rule may name. */
export type FaultyCall = typeof FD_CALLS[number] | typeof PATH_CALLS[number] | typeof COMMIT;

const CALLS: readonly string[] = [...FD_CALLS, ...PATH_CALLS, COMMIT];
const SIGNALS = ["kill-before", "kill-after", "stop-before"] as const;

/** What happens instead of a call, before it, or after it. */
export type FaultAction = typeof SIGNALS[number] | { readonly errno: number };

/** One rule of a plan. */
export interface FaultRule {
  readonly call: FaultyCall;
  /** Part of the file's path; empty for any file. */
  readonly path: string;
  readonly first: number;
  readonly last: number;
  readonly action: FaultAction;
}

const RULE = /^([a-zA-Z]+)(?::([^@=;]+))?@([1-9]\d{0,8})(-([1-9]\d{0,8})?)?=([A-Za-z-]+)$/;

/**
 * Reads a plan. Empty text is a plan without rules.
 *
 * @throws {PbkfsError} `Usage`, naming the rule that is none.
 */
export function parseFaults(text: string): FaultRule[] {
  if (text.trim() === "") return [];
  return text.split(";").map((part) => parseRule(part.trim()));
}

function parseRule(text: string): FaultRule {
  const [, call = "", path = "", from = "", range, to, action = ""] = RULE.exec(text) ?? [];
  const first = Number(from);
  const last = range === undefined ? first : to === undefined ? Infinity : Number(to);
  const isPathless = call === COMMIT && path !== "";
  const parsed = parseAction(action);
  if (!CALLS.includes(call) || isPathless || parsed === undefined || last < first) {
    throw new PbkfsError("Usage", {
      what: `"${text}" in PBKFS_FAULTS is not a rule`,
      todo: "Write CALL[:PATH]@FIRST[-LAST]=ACTION, such as fdatasync:/data/@3-=EIO, or unset it.",
    });
  }
  return { call: call as FaultyCall, path, first, last, action: parsed };
}

function parseAction(text: string): FaultAction | undefined {
  const signal = SIGNALS.find((name) => name === text);
  if (signal !== undefined) return signal;
  const errno = (ERRNO as Record<string, number>)[text];
  return errno === undefined ? undefined : { errno };
}

/** What a plan needs to know of a metadata store. */
interface StoreWithCommits {
  commit(batches: readonly never[]): void | Promise<void>;
}

/** A plan at work in one thread: it counts the calls. */
export class Faults {
  readonly #rules: readonly (FaultRule & { count: number })[];

  constructor(rules: readonly FaultRule[]) {
    this.#rules = rules.map((rule) => ({ ...rule, count: 0 }));
  }

  /** Carries out a call, or what the plan has for it. @param pathOf Asked only if it matters. */
  around<T>(call: FaultyCall, pathOf: () => string, body: () => T): T {
    const action = this.#actionFor(call, pathOf);
    if (action === undefined) return body();
    if (action === "kill-after") {
      const result = body();
      if (result instanceof Promise) return result.finally(() => signalSelf("SIGKILL")) as T;
      signalSelf("SIGKILL");
      return result;
    }
    if (action === "kill-before") signalSelf("SIGKILL");
    else if (action === "stop-before") signalSelf("SIGSTOP");
    else {
      const path = pathOf();
      throw new PbkfsError("Io", {
        what: `${call}${path === "" ? "" : ` of ${path}`} failed on purpose`,
        errno: action.errno,
      });
    }
    return body();
  }

  /** `libc` with the plan's faults; `libc` itself if there are none. */
  libc(libc: Libc): Libc {
    if (this.#rules.length === 0) return libc;
    const faulty: Record<string, unknown> = { ...libc };
    const wrap = (
      name: string,
      pathOf: (...subject: never[]) => string,
      call: FaultyCall = name as FaultyCall,
    ) => {
      const original = (libc[name as keyof Libc] as (...args: unknown[]) => unknown).bind(libc);
      faulty[name] = (...args: unknown[]) =>
        this.around(call, () => pathOf(...args as never[]), () => original(...args));
    };
    const named = new Set(this.#rules.map(({ call }) => call));
    for (const call of FD_CALLS) if (named.has(call)) wrap(call, pathOfDescriptor);
    // Where a read is served from does not matter to a plan.
    if (named.has("pread")) {
      for (const call of ["preadCached", "preadv", "preadvCached"]) {
        wrap(call, pathOfDescriptor, "pread");
      }
    }
    for (const call of PATH_CALLS) if (named.has(call)) wrap(call, printable);
    // Nor how a file is brought to the disk.
    if (named.has("fdatasync")) wrap("writeError", pathOfDescriptor, "fdatasync");
    // How a file is found does not matter to a plan, either.
    if (named.has("open")) {
      for (const call of ["openAt", "openResolved"]) wrap(call, pathBelow, "open");
    }
    return faulty as unknown as Libc;
  }

  /**
   * Puts the plan's faults around each commit of every store of a class, in this thread. A store
   * commits nothing while it is opened; that does not count.
   */
  stores({ prototype }: { readonly prototype: StoreWithCommits }): void {
    if (!this.#rules.some(({ call }) => call === COMMIT)) return;
    const { commit } = prototype;
    const around = (body: () => void | Promise<void>) => this.around(COMMIT, () => "", body);
    prototype.commit = function (batches) {
      if (batches.length === 0) return commit.call(this, batches);
      return around(() => commit.call(this, batches));
    };
  }

  #actionFor(call: FaultyCall, pathOf: () => string): FaultAction | undefined {
    let found: FaultAction | undefined;
    let path: string | undefined;
    for (const rule of this.#rules) {
      if (rule.call !== call) continue;
      if (rule.path !== "" && !(path ??= pathOf()).includes(rule.path)) continue;
      rule.count++;
      if (rule.count >= rule.first && rule.count <= rule.last) found ??= rule.action;
    }
    return found;
  }
}

/** The kernel knows; a deleted file's path ends with ` (deleted)`. */
function pathOfDescriptor(fd: Fd): string {
  try {
    return Deno.readLinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return "";
  }
}

function pathBelow(directory: Fd, path: ByteString): string {
  return `${pathOfDescriptor(directory)}/${printable(path)}`;
}

/** A signal that nobody can catch, to this process; with SIGKILL, it does not return. */
function signalSelf(signal: "SIGKILL" | "SIGSTOP"): void {
  Deno.kill(Deno.pid, signal);
}
