/**
 * A place for one test of the whole program: a sample catalog, an empty mount directory, and a
 * diff directory that does not exist yet.
 *
 * @module
 */

import { PostgresServer, tryFindInstallation } from "../../postgres/mod.ts";
import { type Fixture, type FixtureName, unpackFixture } from "./fixtures.ts";
import { mountBackup, type MountedBackup, type MountOptions } from "./mount_backup.ts";
import { detachMounts } from "./mounts.ts";
import { giveTo } from "./temp_dir.ts";
import { type Identity, isRoot } from "./users.ts";

/** What the sample catalogs were asked after each restore; see make-catalogs.sh there. */
export const RECORDED_QUERY = `select json_build_object('starts', true,
  'accounts', (select count(*) from accounts),
  'balance', (select sum(balance) from accounts),
  'owner_md5', (select md5(string_agg(owner, ',' order by id)) from accounts),
  'shrink', (select count(*) from shrink),
  'toast_md5', (select md5(string_agg(doc, '' order by id)) from toasty),
  'relations', (select count(*) from pg_class),
  'databases', (select json_agg(datname order by datname) from pg_database))`;

/** Which sample, and for whom. */
export interface SceneOptions {
  readonly fixture: FixtureName;
  /** The owner of the catalog and of all directories here, who also runs the servers. */
  readonly owner: Identity;
  /** Whether the owner mounts as well; if not, we do. */
  readonly ownerMounts?: boolean;
  readonly majorVersion?: number;
}

/** A sample catalog with the directories to mount it. `await using` it. */
export class Scene {
  readonly dirPath: string;
  readonly catalogDir: string;
  readonly mountDir: string;
  readonly diffDir: string;
  readonly owner: Identity;
  readonly #fixture: Fixture;
  readonly #options: SceneOptions;

  private constructor(options: SceneOptions, fixture: Fixture) {
    this.#fixture = fixture;
    this.#options = options;
    this.owner = options.owner;
    this.dirPath = Deno.realPathSync(fixture.dirPath);
    this.catalogDir = `${this.dirPath}/catalog`;
    this.mountDir = `${this.dirPath}/mount`;
    this.diffDir = `${this.dirPath}/diff`;
  }

  /** Unpacks the sample, and gives all to its owner. */
  static async open(options: SceneOptions): Promise<Scene> {
    const scene = new Scene(options, await unpackFixture(options.fixture));
    Deno.mkdirSync(scene.mountDir);
    if (isRoot()) await giveTo(options.owner, scene.dirPath);
    return scene;
  }

  /** Mounts a backup, the newest restorable one if none is named. */
  mount(backupId?: string, options: Partial<MountOptions> = {}): Promise<MountedBackup> {
    return mountBackup(this.mountOptions(backupId, options));
  }

  /** What {@link Scene.mount} gives to the command line. */
  mountOptions(backupId?: string, options: Partial<MountOptions> = {}): MountOptions {
    return {
      catalogDir: this.catalogDir,
      diffDir: this.diffDir,
      mountDir: this.mountDir,
      user: this.#options.ownerMounts === true ? this.owner : undefined,
      ...(backupId === undefined ? {} : { instance: "main", backupId }),
      ...options,
    };
  }

  /** Starts a server on a data directory, the mount if none is named, as the owner. */
  async startServer(
    dataDir = this.mountDir,
    settings: Record<string, string> = {},
  ): Promise<PostgresServer> {
    const installation = tryFindInstallation(this.#options.majorVersion ?? 15);
    const server = await PostgresServer.start({
      dataDir,
      settings,
      user: this.owner,
      ...(installation === undefined ? {} : { installation }),
    });
    try {
      await server.waitUntilPrimary();
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
    return server;
  }

  /** What SQL answered when the sample was made, as `rows/NAME.json` records it. */
  recordedRows(name: string): unknown {
    return JSON.parse(Deno.readTextFileSync(`${this.dirPath}/rows/${name}.json`));
  }

  /** Removes all, but never through a mount: one that is left is detached, and is an error. */
  async [Symbol.asyncDispose](): Promise<void> {
    const left = detachMounts(this.dirPath);
    await this.#fixture[Symbol.asyncDispose]();
    if (left.length > 0) throw new Error(`${this.mountDir} was still mounted at the end`);
  }
}

/** What the recorded query answers now. */
export async function answerOf(server: PostgresServer): Promise<unknown> {
  return JSON.parse(await server.query(RECORDED_QUERY));
}
