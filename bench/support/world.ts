/**
 * What scenarios work on: a directory on one disk, with catalogs of a pgbench database, their
 * extracted trees, and mounts. Made when first asked for, gone at the end, whatever happened.
 *
 * @module
 */

import { type ChainSpec, type Codec, resolveChain } from "../../backup/mod.ts";
import { isAlive } from "../../binding/mod.ts";
import { mountStatus } from "../../operate/mod.ts";
import { type Identity, isRoot, PostgresServer } from "../../postgres/mod.ts";
import { mountBackup } from "../../tests/support/mount_backup.ts";
import { detachMounts } from "../../tests/support/mounts.ts";
import { giveTo, TempDir } from "../../tests/support/temp_dir.ts";
import { ordinaryUser } from "../../tests/support/users.ts";
import { extract } from "./extract.ts";
import { makeCatalogs } from "./make_catalogs.ts";
import type { BenchOptions } from "./options.ts";

/** A mount of a scenario. It keeps its diff until the end of its scope. */
export interface BenchMount extends AsyncDisposable {
  readonly mountDir: string;
  readonly diffDir: string;
  /** The daemon. The first call asks it, which takes a moment. */
  pid(): Promise<number>;
  /** How long the command took, with the start of its program and of the daemon. */
  readonly mountSeconds: number;
  /** Unmounts, and waits until the daemon has ended. */
  unmount(): Promise<void>;
}

/** How a mount differs from the usual one. */
export interface BenchMountOptions {
  /** Variables for the daemon. */
  readonly env?: Readonly<Record<string, string>>;
  /** Further options of `pbkfs mount`. */
  readonly extra?: readonly string[];
  /** A diff for several mounts, kept to the end of the run; a new one if missing. */
  readonly diffDir?: string;
}

/** How servers of a measurement differ from the default. */
export const SERVER_SETTINGS: Readonly<Record<string, string>> = {
  autovacuum: "off",
  checkpoint_timeout: "1h",
  max_wal_size: "4GB",
  shared_buffers: "256MB",
};

/** The place of a run. `await using` it. */
export class World implements AsyncDisposable {
  /** Who owns the database and runs servers; ourselves if undefined. */
  readonly user: Identity | undefined;
  readonly #stack = new AsyncDisposableStack();
  readonly #catalogs = new Map<string, Promise<string>>();
  readonly #trees = new Map<string, Promise<string>>();
  #count = 0;

  private constructor(readonly options: BenchOptions, readonly dirPath: string) {
    this.user = isRoot() ? ordinaryUser() : undefined;
  }

  static make(options: BenchOptions): World {
    const dir = TempDir.make(isRoot() ? ordinaryUser() : undefined);
    const world = new World(options, dir.path);
    world.#stack.use(dir);
    return world;
  }

  /** A path for something new. */
  newPath(name: string): string {
    return `${this.dirPath}/${name}-${this.#count++}`;
  }

  /** A catalog with FULL, DELTA and PAGE backups of a pgbench database of about that size. */
  async catalog(codec: Codec, sizeMb = this.options.sizeMb): Promise<string> {
    // Scenarios share those of the usual size; of another one, no more is made than is asked for.
    const codecs = sizeMb === this.options.sizeMb ? this.options.codecs : [codec];
    const key = `${sizeMb} ${codecs}`;
    const made = this.#catalogs.get(key) ?? this.#makeCatalogs(sizeMb, codecs);
    this.#catalogs.set(key, made);
    return `${await made}/${codec}`;
  }

  /** The chain of a catalog's newest backup. */
  async chain(codec: Codec, sizeMb?: number): Promise<ChainSpec> {
    const catalogPath = await this.catalog(codec, sizeMb);
    return await resolveChain({ catalogPath, useProbackup: false });
  }

  /** The chain extracted, for reading only: all scenarios share it. */
  extractedTree(codec: Codec): Promise<string> {
    const tree = this.#trees.get(codec) ?? this.extractNew(codec);
    this.#trees.set(codec, tree);
    return tree;
  }

  /** The chain extracted once more, to be changed. */
  async extractNew(codec: Codec): Promise<string> {
    const targetDir = this.newPath("tree");
    say(`extracting the chain stored with ${codec}`);
    const spec = await this.chain(codec);
    await extract({ spec, targetDir, owner: this.user, sync: true });
    return targetDir;
  }

  /** Mounts the newest backup of a catalog. */
  async mount(catalogDir: string, options: BenchMountOptions = {}): Promise<BenchMount> {
    const [mountDir, diffDir] = [this.newPath("mount"), options.diffDir ?? this.newPath("diff")];
    Deno.mkdirSync(mountDir);
    if (this.user !== undefined) Deno.chownSync(mountDir, this.user.uid, this.user.gid);
    const start = performance.now();
    const mounted = await mountBackup({ catalogDir, mountDir, ...options, diffDir });
    const mountSeconds = (performance.now() - start) / 1000;
    const pid = once(async () => (await mountStatus(mountDir)).pid);
    const unmount = async () => {
      const daemon = await pid();
      await mounted.unmount();
      while (isAlive(daemon)) await new Promise((resolve) => setTimeout(resolve, 5));
    };
    const dispose = once(async () => {
      try {
        await unmount();
      } finally {
        detachMounts(mountDir);
        if (options.diffDir === undefined) await Deno.remove(diffDir, { recursive: true });
        await Deno.remove(mountDir);
      }
    });
    this.#stack.defer(dispose);
    return { mountDir, diffDir, pid, mountSeconds, unmount, [Symbol.asyncDispose]: dispose };
  }

  /** Starts a server on a tree or a mount. Waits until it takes writes. */
  async startServer(
    dataDir: string,
    settings: Readonly<Record<string, string>> = {},
  ): Promise<PostgresServer> {
    const server = await PostgresServer.start({
      dataDir,
      settings: { ...SERVER_SETTINGS, ...settings },
      ...(this.user !== undefined && { user: this.user }),
      startTimeoutSeconds: 600,
    });
    this.#stack.use(server);
    await server.waitUntilPrimary();
    return server;
  }

  /** Registers what has to be undone at the end, if the scenario does not come to it. */
  defer(undo: () => Promise<void>): void {
    this.#stack.defer(undo);
  }

  async #makeCatalogs(sizeMb: number, codecs: readonly Codec[]): Promise<string> {
    say(`making backups of a database of ${sizeMb} MB`);
    const dirPath = this.newPath("catalogs");
    await makeCatalogs({
      dirPath,
      clusterDir: this.newPath("cluster"),
      sizeMb,
      codecs,
      user: this.user,
    });
    return dirPath;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

/** Gives a directory to those who run the servers. */
export async function giveToUser({ user }: World, path: string): Promise<void> {
  if (user !== undefined) await giveTo(user, path);
}

/** What is going on, beside the tables. */
export function say(text: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`… ${text}\n`));
}

function once<T>(action: () => Promise<T>): () => Promise<T> {
  let done: Promise<T> | undefined;
  return () => done ??= action();
}
