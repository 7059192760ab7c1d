/**
 * A mounted clone with a server, both of which can be killed.
 *
 * @module
 */

import assert from "node:assert/strict";
import { isAlive } from "../../binding/mod.ts";
import {
  findInstallation,
  killProcessesIn,
  PostgresServer,
  processesIn,
  waitUntilReaped,
} from "../../postgres/mod.ts";
import { runCli } from "../support/cli.ts";
import { mustBeDurable } from "../support/durable.ts";
import { mountArguments, type MountOptions } from "../support/mount_backup.ts";
import { detachMounts, isMounted } from "../support/mounts.ts";
import { daemonsOf, killHard, SharedMemory } from "../support/processes.ts";
import type { Identity } from "../support/users.ts";
import { SERVER_SETTINGS } from "./workload.ts";

const KILL_LIMIT_MS = 30_000;

/** Where a clone lies, and who runs its server. It is mounted again only if that is asked for. */
export interface CloneOptions extends MountOptions {
  readonly owner: Identity;
  readonly majorVersion: number;
  /** Of the server, beyond {@link SERVER_SETTINGS}. */
  readonly settings?: Readonly<Record<string, string>>;
}

/** A mount and its server. `await using` it: nothing of them is left. */
export class Clone {
  readonly options: CloneOptions;
  readonly memory = new SharedMemory();
  #server: PostgresServer | undefined;
  #daemon: number | undefined;

  constructor(options: CloneOptions) {
    this.options = options;
  }

  get server(): PostgresServer {
    assert(this.#server !== undefined, "the server runs");
    return this.#server;
  }

  /** Whether the process behind the mount is there. */
  get isServed(): boolean {
    return this.#daemon !== undefined && isAlive(this.#daemon);
  }

  get hasServer(): boolean {
    return this.#server !== undefined;
  }

  /** Mounts. @param faults A plan, see `runCli`. @throws {Error} with what it said. */
  async mount(faults = ""): Promise<void> {
    const { code, stderr } = await runCli(mountArguments({ restart: false, ...this.options }), {
      user: this.options.user,
      faults,
    });
    [this.#daemon] = daemonsOf(this.options.diffDir);
    if (code !== 0) throw new Error(`mount ended with status ${code}: ${stderr}`);
  }

  /** Starts the server, and waits until it has recovered. */
  async startServer(): Promise<PostgresServer> {
    // A start that fails kills what it has started; what that leaves must be known.
    const watch = setInterval(() => this.memory.note(processesIn(this.options.mountDir)), 50);
    try {
      this.#server = await this.#start();
    } finally {
      clearInterval(watch);
    }
    this.memory.note(processesIn(this.options.mountDir));
    await this.#server.waitUntilPrimary();
    await mustBeDurable(this.#server);
    return this.#server;
  }

  async #start(): Promise<PostgresServer> {
    await waitUntilReaped(lastServers(this.options.mountDir));
    return await PostgresServer.start({
      dataDir: this.options.mountDir,
      installation: findInstallation(this.options.majorVersion),
      user: this.options.owner,
      settings: { ...SERVER_SETTINGS, ...this.options.settings },
    });
  }

  /** Kills, all at once as far as that is possible. */
  async kill(what: "server" | "daemon" | "both"): Promise<void> {
    const { mountDir } = this.options;
    const daemon = what === "server" ? [] : [this.#daemon as number].filter(isAlive);
    const server = what === "daemon" ? [] : processesIn(mountDir);
    this.memory.note(server);
    await killHard([...daemon, ...server]);
  }

  /** Forgets a server that was killed. */
  async dropServer(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    await server?.[Symbol.asyncDispose]();
  }

  /** After a crash: no process is left, and nothing is mounted. */
  async cleanUp(): Promise<void> {
    const { mountDir, user } = this.options;
    const left = processesIn(mountDir);
    this.memory.note(left);
    await killProcessesIn(mountDir, KILL_LIMIT_MS);
    await this.dropServer();
    if (!isMounted(mountDir)) return;
    const { code, stderr } = await runCli(["unmount", "-D", mountDir], { user });
    assert.equal(code, 0, `unmount after a crash: ${stderr}`);
    assert(!isMounted(mountDir), "it is unmounted");
    assert(await this.endsSoon(), "the daemon has ended");
  }

  /** Waits a while for the daemon's end. */
  async endsSoon(): Promise<boolean> {
    for (let left = 1000; this.isServed && left > 0; left--) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return !this.isServed;
  }

  /** Stops the server and unmounts, as one should. */
  async stop(): Promise<void> {
    const { mountDir, user } = this.options;
    await this.#server?.stop();
    // Nobody but who mounted sees what is in the mount of an ordinary user.
    if (this.#server !== undefined && user === undefined) await checkPages(this.#server);
    await this.dropServer();
    const { code, stderr } = await runCli(["unmount", "-D", mountDir], { user });
    assert.equal(code, 0, `unmount: ${stderr}`);
    assert(await this.endsSoon(), "the daemon has ended");
  }

  /** The daemon's log. */
  log(): string {
    try {
      return Deno.readTextFileSync(`${this.options.diffDir}/pbkfs.log`);
    } catch {
      return "";
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.memory.note(processesIn(this.options.mountDir));
      await killProcessesIn(this.options.mountDir, KILL_LIMIT_MS);
      await this.#server?.[Symbol.asyncDispose]();
    } finally {
      if (this.isServed) await killHard([this.#daemon as number]);
      detachMounts(this.options.mountDir);
      this.memory.remove();
    }
  }
}

/** The server of whose end the data directory does not know. It may have died by itself. */
function lastServers(dataDir: string): number[] {
  try {
    return [Number(Deno.readTextFileSync(`${dataDir}/postmaster.pid`).split("\n", 1)[0])];
  } catch {
    return []; // It was stopped.
  }
}

/** Has PostgreSQL look at every page of every relation. */
export async function checkServer(server: PostgresServer): Promise<void> {
  await server.run("pg_amcheck", ["--all", "--heapallindexed", "--install-missing"]);
}

/** Has PostgreSQL compare every page of a stopped server with its checksum, if there are any. */
async function checkPages(server: PostgresServer): Promise<void> {
  const { stdout } = await server.run("pg_controldata", ["-D", server.dataDir]);
  if (!/checksum version:\s+[1-9]/.test(stdout)) return;
  cutPartialBlocks(`${server.dataDir}/base`);
  await server.run("pg_checksums", ["--check", "-D", server.dataDir]);
}

/**
 * Cuts what is no whole block off the ends of relations. On any file system a crash may leave half
 * a block that nobody has synced, often of a relation whose creation was lost with the WAL. The
 * server rounds lengths down, and never looks there; pg_checksums refuses such a file.
 */
function cutPartialBlocks(dirPath: string): void {
  for (const { name, isDirectory } of Deno.readDirSync(dirPath)) {
    const path = `${dirPath}/${name}`;
    if (isDirectory) cutPartialBlocks(path);
    else if (/^\d+(_[a-z]+)?(\.\d+)?$/.test(name)) {
      const { size } = Deno.statSync(path);
      if (size % 8192 !== 0) Deno.truncateSync(path, size - size % 8192);
    }
  }
}
