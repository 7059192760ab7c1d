/** A full disk is what it is on ext4: the write that does not fit fails, and nothing else does. */

import assert from "node:assert/strict";
import { fastPathsWanted } from "../daemon/fast_paths.ts";
import { ERRNO } from "../errors.ts";
import { Ballast } from "./full_disk/ballast.ts";
import { liveOnFullDisk } from "./full_disk/story.ts";
import { runCli } from "./support/cli.ts";
import { DURABLE, mustBeDurable } from "./support/durable.ts";
import { mountArguments } from "./support/mount_backup.ts";
import { errnoFrom, filled, RawFile } from "./support/raw_file.ts";
import { CHAIN, sampleObstacle } from "./support/samples.ts";
import { Scene } from "./support/scene.ts";
import { freeBytes, mountSmallDisk, smallDiskObstacle } from "./support/small_disk.ts";
import { mountObstacle, type Obstacle, testUnless } from "./support/skip.ts";
import { tellingAll } from "./support/suppressed.ts";
import { commandAs, type Identity, ordinaryUser } from "./support/users.ts";

const MIB = 1 << 20;
const obstacle = mountObstacle() ?? smallDiskObstacle();
const gatherObstacle = fastPathsWanted().has("write_back") ? undefined : "writes are not gathered";
const test = (obstacle: Obstacle, name: string, body: () => Promise<void>) =>
  testUnless(obstacle, name, () => tellingAll(body));

/** Fills a file until a write fails. @returns How many megabytes it took, and why it ended. */
function fill(file: RawFile, most: number): { megabytes: number; errno: number } {
  let megabytes = 0;
  const errno = errnoFrom(() => {
    for (; megabytes < most; megabytes++) {
      file.write(megabytes * MIB, filled(megabytes % 251 + 1, MIB));
    }
  });
  return { megabytes, errno };
}

function assertFilled(file: RawFile, megabytes: number): void {
  for (let at = 0; at < megabytes; at++) {
    assert.deepEqual(file.read(at * MIB, MIB), filled(at % 251 + 1, MIB), `megabyte ${at}`);
  }
}

test(
  obstacle ?? gatherObstacle,
  "on a full disk the write fails that does not fit; what was accepted can be synced [FR-460]",
  async () => {
    await using scene = await Scene.open({ fixture: "zlib-chain", owner: ordinaryUser() });
    const diskDir = `${scene.dirPath}/small`;
    Deno.mkdirSync(diskDir);
    await using _disk = mountSmallDisk({ dirPath: diskDir, megabytes: 128 });
    const options = { diffDir: `${diskDir}/diff` };
    let megabytes = 0;
    {
      await using mount = await scene.mount("TOTL9U", options);
      const path = `${mount.mountDir}/filler`;
      {
        using file = new RawFile(path);
        const end = fill(file, 195);
        megabytes = end.megabytes;
        assert.equal(end.errno, ERRNO.ENOSPC, `the write fails, after ${megabytes} MiB`);
        assert(megabytes > 64, `only ${megabytes} MiB were accepted`);
        assert.equal(freeBytes(mount.mountDir), 0, "statfs tells");
        assert.equal(errnoFrom(() => file.sync()), 0, "what was accepted reaches the disk");
        assertFilled(file, megabytes);
        const more = () => file.write(megabytes * MIB, filled(1));
        assert.equal(errnoFrom(more), ERRNO.ENOSPC, "again");
        assert.equal(Deno.statSync(path).size, megabytes * MIB);
        assert.equal(
          errnoFrom(more),
          ERRNO.ENOSPC,
          "also when the kernel has been told attributes",
        );
        assert.equal(file.end(), megabytes * MIB);
        assert.equal(file.read((megabytes - 1) * MIB, 3 * MIB).length, MIB, "a read at the end");
        const create = () => new RawFile(`${mount.mountDir}/another`)[Symbol.dispose]();
        assert.equal(errnoFrom(create), ERRNO.ENOSPC, "a new file");
        assert.equal(errnoFrom(() => file.reserve(0, 300 * MIB)), ERRNO.ENOSPC, "fallocate");
      }
      await mount.unmount();
    }
    assertNotThere(`${diskDir}/diff/reserve`);
    await using mount = await scene.mount("TOTL9U", options);
    using file = new RawFile(`${mount.mountDir}/filler`);
    assertFilled(file, megabytes);
    assert.equal(
      errnoFrom(() => file.write(0, filled(9))),
      ERRNO.ENOSPC,
      "after a remount as well",
    );
    Deno.truncateSync(`${mount.mountDir}/filler`, 10 * MIB);
    file.write(MIB, filled(8, MIB));
    file.sync();
    assert.deepEqual(file.read(MIB, MIB), filled(8, MIB));
    const log = Deno.readTextFileSync(`${diskDir}/diff/pbkfs.log`);
    // Whether the reserve was needed, too, depends on how much the kernel had gathered.
    for (const line of ["space for the diff is low", "room for the diff again"]) {
      assert(log.includes(line), `${line}: ${log}`);
    }
  },
);

function assertNotThere(path: string): void {
  assert.throws(() => Deno.lstatSync(path), Deno.errors.NotFound);
}

test(
  obstacle ?? sampleObstacle(),
  "a server on a full disk gives errors, stays up, and goes on when there is room [FR-462]",
  async () => {
    const seed = Date.now() % 1_000_000;
    const say = (line: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
    const story = { megabytes: 256, seed, rounds: 1, place: "clone" as const, say };
    await liveOnFullDisk({ ...story, wal: seed % 2 === 0 ? "outside" : "inside" });
  },
);

test(
  obstacle,
  "without inodes, first writes to files of the base are refused, and nothing accepted is lost [FR-463]",
  async () => {
    await using scene = await Scene.open({ fixture: "zlib-chain", owner: ordinaryUser() });
    const diskDir = `${scene.dirPath}/small`;
    Deno.mkdirSync(diskDir);
    const mkfs = ["mkfs.ext4", "-q", "-m", "0", "-N", "1024"];
    await using _disk = mountSmallDisk({ dirPath: diskDir, megabytes: 128, mkfs });
    const options = { diffDir: `${diskDir}/diff` };
    const expected = new Map<string, number>();
    {
      await using mount = await scene.mount("TOTL9U", options);
      const [known = "", ...paths] = dataFiles(`${mount.mountDir}/base/5`);
      const [accepted, later] = [paths.slice(0, 40), paths.slice(40, 80)];
      writeAndSync(known, 1);
      {
        using files = new DisposableStack();
        const open = accepted.map((path) => files.use(new RawFile(path)));
        for (const file of open) file.write(0, filled(2));
        // The kernel has gathered these writes; now the inodes go.
        takeInodes(`${diskDir}/taken`);
        for (const file of open) assert.equal(errnoFrom(() => file.sync()), 0, "it was accepted");
      }
      for (const path of accepted) expected.set(path, 2);
      const errnos = later.map((path) => errnoFrom(() => writeAndSync(path, 3)));
      assert.deepEqual(new Set(errnos), new Set([ERRNO.ENOSPC]), "a file that the diff lacks");
      assert.equal(errnoFrom(() => writeAndSync(known, 4)), 0, "one that it has");
      expected.set(known, 4);
      Deno.removeSync(`${diskDir}/taken`, { recursive: true });
      for (const path of later) {
        writeAndSync(path, 5);
        expected.set(path, 5);
      }
      await mount.unmount();
    }
    await using _mount = await scene.mount("TOTL9U", options);
    for (const [path, byte] of expected) {
      using file = new RawFile(path);
      assert.deepEqual(file.read(0, 8192), filled(byte), path);
    }
  },
);

test(
  obstacle ?? mountObstacle("ordinary user") ?? quotaObstacle(),
  "a user quota, which statfs does not show, refuses the write that does not fit [FR-464]",
  () => fillAsOrdinaryUser({ quotaMegabytes: 300, refusal: /Disk quota exceeded/ }),
);

test(
  obstacle ?? mountObstacle("ordinary user"),
  "an ordinary user, who cannot lower the kernel's limit, keeps more, and loses nothing either [FR-465]",
  () => fillAsOrdinaryUser({ freeMegabytes: 150, refusal: /No space left on device/ }),
);

test(
  sampleObstacle(),
  "a server of which accepted writes were lost comes back by itself, with all that it knows [FR-466]",
  async () => {
    await using scene = await Scene.open({ ...CHAIN, owner: ordinaryUser() });
    const mounted = await runCli(mountArguments(scene.mountOptions(CHAIN.backupId)), {
      faults: "pwrite:/data/@400=EIO;fdatasync:/data/@200=EIO",
    });
    assert.equal(mounted.code, 0, mounted.stderr);
    try {
      const settings = { ...DURABLE, shared_buffers: "1MB" };
      await using server = await scene.startServer(scene.mountDir, settings);
      await mustBeDurable(server);
      await server.query("create table ledger(id int primary key, payload text)");
      const acknowledged: number[] = [];
      for (let id = 1, ends = 0; ends < 30 && id < 600; id++) {
        try {
          await server.query([
            `insert into ledger select ${id}, repeat(md5('${id}'), 50)`,
            ...(id % 4 === 0 ? ["update accounts set balance = balance", "checkpoint"] : []),
          ]);
          acknowledged.push(id);
          if (isThrough(scene.diffDir)) ends++;
        } catch {
          // It is coming back.
          await new Promise((resolve) => setTimeout(resolve, 100));
        }
      }
      const log = server.logTail(1e5);
      assert(isThrough(scene.diffDir), "the faults were met");
      assert.match(log, /could not fsync file/, "the server was told");
      const list = acknowledged.join(",");
      const count = await server.query(`select count(*) from ledger where id in (${list})`);
      assert.equal(Number(count), acknowledged.length, "what was acknowledged is there");
      await server.query("checkpoint");
      await server.run("pg_amcheck", ["--all", "--heapallindexed", "--install-missing"]);
      await server.stop();
    } finally {
      await runCli(["unmount", "-D", scene.mountDir]);
    }
  },
);

test(
  mountObstacle(),
  "an unmount tells what could not be written, and whoever has heard of it is not told again [FR-467]",
  async () => {
    await using scene = await Scene.open({ fixture: "zlib-chain", owner: ordinaryUser() });
    for (const isSynced of [false, true]) {
      const mounted = await runCli(mountArguments(scene.mountOptions("TOTL9U")), {
        faults: "fdatasync:/data/@1=ENOSPC",
      });
      assert.equal(mounted.code, 0, mounted.stderr);
      {
        using file = new RawFile(`${scene.mountDir}/lost-${isSynced}`);
        file.write(0, filled(1));
        if (isSynced) assert.equal(errnoFrom(() => file.sync()), ERRNO.ENOSPC);
      }
      const { code, stderr } = await runCli(["unmount", "-D", scene.mountDir]);
      if (isSynced) assert.equal(code, 0, stderr);
      else assert.match(stderr, /ENOSPC|has failed/);
    }
  },
);

/** Data files of the base in a directory. */
function dataFiles(dirPath: string): string[] {
  return [...Deno.readDirSync(dirPath)].map(({ name }) => name).filter((name) => /^\d+$/.test(name))
    .sort().map((name) => `${dirPath}/${name}`)
    .filter((path) => Deno.statSync(path).size >= 8192);
}

function writeAndSync(path: string, byte: number): void {
  using file = new RawFile(path);
  file.write(0, filled(byte));
  file.sync();
}

/** Makes files until there can be no more. */
function takeInodes(dirPath: string): void {
  Deno.mkdirSync(dirPath);
  assert.throws(() => {
    for (let at = 0; at < 1e5; at++) {
      Deno.openSync(`${dirPath}/${at}`, { create: true, write: true }).close();
    }
  });
}

/** Fills a file through a mount of an ordinary user, and looks at it after a remount. */
async function fillAsOrdinaryUser(options: {
  readonly freeMegabytes?: number;
  readonly quotaMegabytes?: number;
  readonly refusal: RegExp;
}): Promise<void> {
  const { freeMegabytes, quotaMegabytes, refusal } = options;
  const owner = ordinaryUser();
  await using scene = await Scene.open({ fixture: "zlib-chain", owner, ownerMounts: true });
  const diskDir = `${scene.dirPath}/small`;
  Deno.mkdirSync(diskDir);
  const quota = quotaMegabytes === undefined ? [] : ["-O", "quota"];
  const mkfs = ["mkfs.ext4", "-q", "-m", "0", ...quota];
  await using _disk = mountSmallDisk({ dirPath: diskDir, megabytes: 512, mkfs });
  if (quotaMegabytes !== undefined) setQuota(owner.uid, quotaMegabytes, diskDir);
  const mountOptions = { diffDir: `${diskDir}/diff` };
  const ballast = new Ballast(`${diskDir}/ballast`);
  const path = `${scene.mountDir}/filler`;
  let sizeBytes = 0;
  {
    await using mount = await scene.mount("TOTL9U", mountOptions);
    if (freeMegabytes !== undefined) ballast.leave(freeMegabytes * MIB, diskDir);
    // dd syncs what it has written, also after an error.
    const said = await runAs(
      owner,
      `tr '\\0' x < /dev/zero | dd of=${path} bs=1M iflag=fullblock count=900 2>&1;
      sync ${path} 2>&1 || echo sync failed`,
    );
    assert.match(said, refusal);
    assert.doesNotMatch(said, /sync failed/);
    sizeBytes = Number(await runAs(owner, `stat -c %s ${path}`));
    assert(sizeBytes > 50 * MIB, `${sizeBytes} bytes were accepted`);
    await mount.unmount();
  }
  ballast.remove();
  if (quotaMegabytes !== undefined) setQuota(owner.uid, 0, diskDir);
  await using _mount = await scene.mount("TOTL9U", mountOptions);
  assert.equal(Number(await runAs(owner, `tr -dc x < ${path} | wc -c`)), sizeBytes);
}

/** What keeps us from limiting what a user may have on an ext4 file system. */
function quotaObstacle(): Obstacle {
  const can = (script: string) =>
    new Deno.Command("sh", { args: ["-c", script] }).outputSync().success;
  if (!can("command -v setquota")) return "there is no setquota (package quota)";
  const formats = "(zcat /proc/config.gz || cat /boot/config-$(uname -r)) 2>/dev/null";
  return can(`${formats} | grep -q '^CONFIG_QFMT_V2='`)
    ? undefined
    : "this kernel has no quotas for ext4 (CONFIG_QFMT_V2)";
}

function setQuota(uid: number, megabytes: number, dirPath: string): void {
  const args = ["-u", `${uid}`, "0", `${megabytes * 1024}`, "0", "0", dirPath];
  const { success, stderr } = new Deno.Command("setquota", { args }).outputSync();
  assert(success, new TextDecoder().decode(stderr));
}

/** Whether all faults have been met, by what the log says. */
function isThrough(diffDir: string): boolean {
  const log = Deno.readTextFileSync(`${diffDir}/pbkfs.log`);
  return log.includes("write failed") && log.includes("sync failed");
}

/** Runs a script as somebody else. @returns What it said. */
async function runAs(owner: Identity, script: string): Promise<string> {
  const [program = "", ...args] = commandAs(owner, ["sh", "-c", script]);
  const command = new Deno.Command(program, { args, cwd: "/", env: { LC_ALL: "C" } });
  return new TextDecoder().decode((await command.output()).stdout);
}
