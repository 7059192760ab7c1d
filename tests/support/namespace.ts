/**
 * Another mount namespace: what a container, or a service with private mounts, is to a mount.
 *
 * @module
 */

import { waitUntil } from "./daemon_process.ts";
import type { Obstacle } from "./skip.ts";
import { commandAs, type Identity, isRoot } from "./users.ts";

/** How a namespace is made. */
export interface NamespaceOptions {
  /** Who makes it; that takes a user namespace, too. Left out: we. */
  readonly user?: Identity | undefined;
  /** Whether mounts and unmounts of ours reach it. */
  readonly propagation?: "private" | "slave";
}

/** What keeps us from making mount namespaces. */
export function namespaceObstacle(user?: Identity): Obstacle {
  const [program = "", ...args] = commandAs(user, ["unshare", ...unshareFlags(user), "true"]);
  try {
    const { success, stderr } = new Deno.Command(program, { args, cwd: "/" }).outputSync();
    if (success) return undefined;
    return `unshare fails: ${new TextDecoder().decode(stderr).trim()}`;
  } catch (error) {
    return `there is no unshare: ${(error as Error).message}`;
  }
}

/** A process in a namespace of its own, with a copy of all mounts that were there before it. */
export class Namespace implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #user: Identity | undefined;

  private constructor(child: Deno.ChildProcess, user: Identity | undefined) {
    this.#child = child;
    this.#user = user;
  }

  /** Returns when the namespace is there. */
  static async open(options: NamespaceOptions = {}): Promise<Namespace> {
    const { user, propagation = "private" } = options;
    const flags = [...unshareFlags(user), "--propagation", propagation];
    const [program = "", ...args] = commandAs(user, ["unshare", ...flags, "sleep", "300"]);
    const child = new Deno.Command(program, { args, cwd: "/" }).spawn();
    const namespace = new Namespace(child, user);
    // unshare becomes sleep when all else is done.
    const isThere = () => Deno.readTextFileSync(`/proc/${child.pid}/comm`).trim() === "sleep";
    if (await waitUntil(isThere)) return namespace;
    await namespace[Symbol.asyncDispose]();
    throw new Error("The namespace is not there in time");
  }

  /** The process whose end is the namespace's, too. */
  get pid(): number {
    return this.#child.pid;
  }

  /** Its number. */
  get id(): number {
    return Number(/\d+/.exec(Deno.readLinkSync(`/proc/${this.pid}/ns/mnt`))?.[0]);
  }

  /** The devices of mounts at a path, as this namespace has them. */
  devicesAt(path: string): string[] {
    const text = Deno.readTextFileSync(`/proc/${this.pid}/mountinfo`);
    return text.split("\n").map((line) => line.split(" "))
      .filter((words) => words[4] === path).map((words) => words[2] ?? "");
  }

  /** Runs a program in it, and fails if that fails. @returns What it printed. */
  async run(command: readonly string[]): Promise<string> {
    const { program, args } = this.#entering(command);
    const output = await new Deno.Command(program, { args, cwd: "/" }).output();
    if (output.success) return new TextDecoder().decode(output.stdout);
    throw new Error(`${command[0]} failed: ${new TextDecoder().decode(output.stderr)}`);
  }

  /**
   * Writes a file, and keeps it open: with any close(2) the kernel would send what it has gathered.
   *
   * @returns The process that keeps it open.
   */
  async writeOpen(path: string, text: string): Promise<AsyncDisposable> {
    const { program, args } = this.#entering(["tee", path]);
    const pipes = { stdin: "piped", stdout: "null" } as const;
    const child = new Deno.Command(program, { args, cwd: "/", ...pipes }).spawn();
    const bytes = new TextEncoder().encode(text);
    const writer = child.stdin.getWriter();
    await writer.write(bytes);
    const { pid } = child;
    // Its position in file 3, the only one that it has opened.
    const position = () => /pos:\s*(\d+)/.exec(Deno.readTextFileSync(`/proc/${pid}/fdinfo/3`))?.[1];
    const isWritten = () => {
      try {
        return Number(position()) === bytes.length;
      } catch {
        return false; // Not open yet.
      }
    };
    const isDone = await waitUntil(isWritten);
    const dispose = async () => {
      await ending(child)[Symbol.asyncDispose]();
      await writer.close().catch(() => {}); // Nobody reads any more.
    };
    if (isDone) return { [Symbol.asyncDispose]: dispose };
    await dispose();
    throw new Error(`${path} cannot be written`);
  }

  /** A command that runs another one in the namespace, as its user. */
  #entering(command: readonly string[]): { program: string; args: string[] } {
    const hasUsers = unshareFlags(this.#user).includes("--user");
    const flags = [
      "-t",
      `${this.pid}`,
      "-m",
      ...(hasUsers ? ["-U", "--preserve-credentials"] : []),
    ];
    const entering = ["nsenter", ...flags, "--", ...command];
    const [program = "", ...args] = commandAs(this.#user, entering);
    return { program, args };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return ending(this.#child)[Symbol.asyncDispose]() as Promise<void>;
  }
}

function ending(child: Deno.ChildProcess): AsyncDisposable {
  return {
    async [Symbol.asyncDispose]() {
      try {
        child.kill("SIGKILL");
      } catch {
        // It has ended already.
      }
      await child.status;
    },
  };
}

function unshareFlags(user: Identity | undefined): string[] {
  return isRoot() && user === undefined ? ["--mount"] : ["--user", "--map-root-user", "--mount"];
}
