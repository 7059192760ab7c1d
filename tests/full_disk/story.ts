/**
 * A server whose disk runs full, and has room again, at random.
 *
 * What is asked of a clone is what a plain directory on the same disk does: a statement that needs
 * space fails with an ERROR, and so may a checkpoint; the server stays up, all that was acknowledged
 * is there, and when there is room everything goes on by itself.
 *
 * @module
 */

import assert from "node:assert/strict";
import { PostgresServer, processesIn } from "../../postgres/mod.ts";
import { PsqlSession, SessionEnded } from "../crash/session.ts";
import { DURABLE, mustBeDurable } from "../support/durable.ts";
import { CHAIN } from "../support/samples.ts";
import { Scene } from "../support/scene.ts";
import { Random } from "../support/random.ts";
import { freeBytes, mountSmallDisk } from "../support/small_disk.ts";
import { type Identity, ordinaryUser } from "../support/users.ts";
import { Ballast } from "./ballast.ts";

/** What is told, and how to tell it again. */
export interface Story {
  readonly megabytes: number;
  /** Where `pg_wal` is; `elsewhere`: on another disk, so that the WAL always has room. */
  readonly wal: "inside" | "outside" | "elsewhere";
  readonly seed: number;
  readonly rounds: number;
  /** A clone, or, to compare, a copy of it in a plain directory. */
  readonly place: "clone" | "plain";
  readonly say: (line: string) => void;
}

const MIB = 1 << 20;
/** Kept small, so that much is written, often. */
const SETTINGS: Readonly<Record<string, string>> = {
  ...DURABLE,
  shared_buffers: "2MB",
  max_wal_size: "32MB",
  min_wal_size: "32MB",
  checkpoint_timeout: "30s",
  bgwriter_delay: "10ms",
  autovacuum_naptime: "1s",
};
/** Nothing but this may be said of a full disk, or of a server that comes back. */
const ALLOWED =
  /No space left on device|Disk quota exceeded|could not extend|checkpoint request failed|server closed the connection|terminating connection|database system is|connection to server|recovery mode/;
/** Also a plain directory's server ends so when a new WAL file finds no room. */
const WAL_PANIC = /PANIC: .*(pg_wal\/|write-ahead log|WAL)/;

/** Lives through it. @throws {Error} naming the seed. */
export async function liveOnFullDisk(story: Story): Promise<void> {
  const { megabytes, wal, seed, place } = story;
  const what = `${place}, ${megabytes} MiB, WAL ${wal}, seed ${seed}`;
  story.say(what);
  try {
    await live(story);
  } catch (cause) {
    throw new Error(`${what}: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}

async function live(story: Story): Promise<void> {
  const owner = ordinaryUser();
  await using scene = await Scene.open({ ...CHAIN, owner });
  const diskDir = `${scene.dirPath}/small`;
  Deno.mkdirSync(diskDir);
  await using _disk = mountSmallDisk({ dirPath: diskDir, megabytes: story.megabytes });
  const ballast = new Ballast(`${diskDir}/ballast`);
  const extra = story.wal === "inside" ? ["--wal", "inside"] : [];
  const options = { diffDir: `${diskDir}/diff`, extra };
  let dataDir = scene.mountDir;
  {
    await using mount = await scene.mount(CHAIN.backupId, options);
    if (story.wal === "elsewhere") moveWal(`${diskDir}/diff/wal`, `${scene.dirPath}/wal`);
    if (story.place === "plain") {
      dataDir = `${diskDir}/plain`;
      await copyTree(scene.mountDir, dataDir, owner);
      await mount.unmount();
    }
    {
      await using life = new Life(story, { dataDir, diskDir, ballast, owner });
      await life.run();
    }
    await mount.unmount();
  }
}

interface Place {
  readonly dataDir: string;
  readonly diskDir: string;
  readonly ballast: Ballast;
  readonly owner: Identity;
}

class Life implements AsyncDisposable {
  readonly #story: Story;
  readonly #place: Place;
  readonly #random: Random;
  #server: PostgresServer | undefined;
  /** Rows that were acknowledged, and how many were tried. */
  #acknowledged = 0;
  #tried = 0;
  #panics: string[] = [];

  constructor(story: Story, place: Place) {
    this.#story = story;
    this.#place = place;
    this.#random = new Random(story.seed);
  }

  async run(): Promise<void> {
    const { ballast } = this.#place;
    try {
      await (await this.#start()).query([
        "create table ledger(id int primary key, payload text)",
        "create table bulk(i int, t text)",
      ]);
      for (let round = 1; round <= this.#story.rounds; round++) await this.#round(round);
      ballast.remove();
      await this.#recovers();
      await this.#check();
      await this.#stop();
      await this.#start();
      await this.#check();
    } catch (cause) {
      throw new Error(`${(cause as Error).message}\n${this.#server?.logTail(40)}`, { cause });
    }
    await this.#stop();
    this.#judge();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server?.[Symbol.asyncDispose]();
  }

  async #start(): Promise<PostgresServer> {
    const { dataDir, owner } = this.#place;
    const server = await PostgresServer.start({ dataDir, user: owner, settings: SETTINGS });
    this.#server = server;
    await server.waitUntilPrimary();
    await mustBeDurable(server);
    return server;
  }

  /** Ends the server, or what is left of it. */
  async #stop(): Promise<void> {
    const server = this.#server as PostgresServer;
    const lines = server.logTail(1e6).split("\n");
    this.#panics.push(...lines.filter((line) => line.includes("PANIC: ")));
    if (!this.#isGone()) await server.stop();
    await server[Symbol.asyncDispose]();
  }

  /** Whether a server that had a PANIC could not recover, and has ended. */
  #isGone(): boolean {
    return processesIn(this.#place.dataDir).length === 0;
  }

  async #round(round: number): Promise<void> {
    const { diskDir, ballast } = this.#place;
    const random = this.#random;
    const room = random.between(24, 90) * MIB;
    // On the smallest disk, too, something must be left to be given back.
    ballast.leave(Math.min(room, freeBytes(diskDir) / 2), diskDir);
    this.#story.say(`round ${round}: ${Math.floor(freeBytes(diskDir) / MIB)} MiB free`);
    let refusals = 0;
    for (let step = 0; refusals < 6 && step < 60; step++) {
      if (!await this.#ask(this.#statement())) refusals++;
      for (let rows = random.between(0, 5); rows > 0; rows--) await this.#ask("");
    }
    this.#story.say(`  ${refusals} refusals, ${Math.floor(freeBytes(diskDir) / MIB)} MiB free`);
    const [count = ""] = await this.#answer("select count(*) from ledger;");
    if (count !== REFUSED) assert(Number(count) >= this.#acknowledged, `reads: ${count}`);
    const way = random.pick(["ballast", "drop", "both"] as const);
    this.#story.say(`  room again: ${way}`);
    // A server that has lost its WAL's disk has nothing to drop with.
    if (way !== "ballast" && !await this.#ask("truncate bulk; checkpoint;")) ballast.remove();
    if (way !== "drop" || freeBytes(diskDir) < 24 * MIB) ballast.remove();
    await this.#recovers();
    await this.#ask("truncate bulk; checkpoint;");
  }

  #statement(): string {
    const rows = this.#random.between(1000, 60_000);
    const random = this.#random;
    switch (random.between(0, 7)) {
      case 0:
      case 1:
        return `insert into bulk select i, repeat(md5(i::text), 8) from generate_series(1, ${rows}) i;`;
      case 2:
        return `copy bulk from program 'for n in $(seq ${rows >> 3}); do echo "$n	${
          "x".repeat(700)
        }"; done';`;
      case 3:
        return "create index on bulk(t);";
      case 4:
        return "checkpoint;";
      case 5:
        return "update accounts set balance = balance + 0;";
      case 6:
        return "vacuum full accounts;";
      default:
        return "";
    }
  }

  /** Runs a statement, or a row of the ledger. @returns Whether it was done. */
  async #ask(sql: string): Promise<boolean> {
    const isRow = sql === "";
    const id = this.#tried + 1;
    if (isRow) this.#tried = id;
    const text = isRow ? `insert into ledger values (${id}, repeat(md5('${id}'), 50));` : sql;
    const done = await this.#answer(text);
    if (done.length === 1 && done[0] === REFUSED) return false;
    if (isRow) this.#acknowledged++;
    return true;
  }

  async #answer(sql: string): Promise<string[]> {
    const session = new PsqlSession(this.#server as PostgresServer, this.#place.owner);
    try {
      return await session.ask(sql);
    } catch (error) {
      if (!(error instanceof SessionEnded)) throw error;
      assert.match(error.message, ALLOWED, "another error than of a full disk");
      return [REFUSED];
    } finally {
      await session.close();
    }
  }

  /** When there is room, everything goes on by itself; a server that has ended can be started. */
  async #recovers(): Promise<void> {
    const endMs = Date.now() + 60_000;
    for (;;) {
      if (this.#isGone()) {
        await this.#stop();
        await this.#start();
      }
      if (await this.#ask("") && await this.#ask("checkpoint;")) return;
      assert(Date.now() < endMs, "there is room, and the server does not go on");
      await pause(300);
    }
  }

  async #check(): Promise<void> {
    const server = this.#server as PostgresServer;
    const [count = 0, wrong = 0] = (await server.query(
      "select count(*), count(*) filter (where payload <> repeat(md5(id::text), 50)) from ledger",
    )).split("|").map(Number);
    assert.equal(wrong, 0, "each row is what was written");
    assert(
      count >= this.#acknowledged && count <= this.#tried,
      `${count} rows, of ${this.#acknowledged} acknowledged and ${this.#tried} tried`,
    );
    await server.run("pg_amcheck", ["--all", "--heapallindexed", "--install-missing"]);
  }

  /** The server must not have ended but for its WAL. */
  #judge(): void {
    const { say, place, wal } = this.#story;
    const panics = this.#panics;
    say(`${this.#acknowledged} rows acknowledged, ${panics.length} PANICs`);
    if (place === "plain") return panics.forEach((line) => say(line));
    const others = wal === "elsewhere" ? panics : panics.filter((line) => !WAL_PANIC.test(line));
    assert.deepEqual(others, [], "a PANIC for which there is no reason");
  }
}

const REFUSED = "\0refused";

function moveWal(from: string, to: string): void {
  run("mv", [from, to]);
  Deno.symlinkSync(to, from);
}

async function copyTree(from: string, to: string, owner: Identity): Promise<void> {
  run("cp", ["-a", from, to]);
  const wal = Deno.readLinkSync(`${to}/pg_wal`);
  Deno.removeSync(`${to}/pg_wal`);
  run("cp", ["-a", wal, `${to}/pg_wal`]);
  await Promise.resolve(owner);
}

function run(program: string, args: readonly string[]): void {
  const { success, stderr } = new Deno.Command(program, { args: [...args] }).outputSync();
  if (!success) throw new Error(`${program}: ${new TextDecoder().decode(stderr)}`);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
