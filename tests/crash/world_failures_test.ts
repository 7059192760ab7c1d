/** When the diff's disk or the store fails: the operation hears it, and the mount goes on. */

import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { fastPathsWanted } from "../../daemon/fast_paths.ts";
import { ERRNO } from "../../errors.ts";
import { mountArguments, type MountOptions } from "../support/mount_backup.ts";
import { runCli } from "../support/cli.ts";
import { isMounted } from "../support/mounts.ts";
import { OtherProcess } from "../support/other_process.ts";
import { errnoFrom, filled, RawFile, syncDirectory } from "../support/raw_file.ts";
import { waitUntil } from "../support/daemon_process.ts";
import { Scene } from "../support/scene.ts";
import { mountObstacle, type Obstacle, testUnless } from "../support/skip.ts";
import { tellingAll } from "../support/suppressed.ts";
import { isRoot, ordinaryUser } from "../support/users.ts";

const PAGE = 8192;
const MEGABYTE = 1 << 20;
const test = (obstacle: Obstacle, name: string, body: () => Promise<void>) =>
  testUnless(obstacle, name, () => tellingAll(body));
const rootObstacle = isRoot() ? undefined : "only root may mount a tmpfs";

const gatherObstacle = fastPathsWanted().has("write_back") ? undefined : "writes are not gathered";

/** A mount with a plan of faults, for the length of a scope. */
async function mountFaulty(
  scene: Scene,
  faults: string,
  options: Partial<MountOptions> = {},
): Promise<AsyncDisposable & { log(): string }> {
  const all = scene.mountOptions("TOTL9U", options);
  // What pbkfs itself writes to a new clone is not what is to fail.
  {
    await using first = await scene.mount("TOTL9U", options);
    await first.unmount();
  }
  const { code, stderr } = await runCli(mountArguments(all), { faults });
  assert.equal(code, 0, stderr);
  return {
    log: () => Deno.readTextFileSync(`${all.diffDir}/pbkfs.log`),
    async [Symbol.asyncDispose]() {
      // What could not be written makes it fail, and that is right.
      if (isMounted(scene.mountDir)) await runCli(["unmount", "-D", scene.mountDir]);
    },
  };
}

/** A new file with one page of `byte`. */
function writtenFile(scene: Scene, name: string, byte: number): RawFile {
  const file = new RawFile(`${scene.mountDir}/${name}`);
  try {
    file.write(0, filled(byte));
  } catch (error) {
    file[Symbol.dispose]();
    throw error;
  }
  return file;
}

const uptimeSeconds = () => Number(Deno.readTextFileSync("/proc/uptime").split(" ")[0]);
const sync = (file: RawFile) => errnoFrom(() => file.sync());

/** Data files of the base in the main database, the largest first. */
function baseFiles(mountDir: string): string[] {
  const dirPath = `${mountDir}/base/5`;
  const sizeOf = (path: string) => Deno.statSync(path).size;
  return [...Deno.readDirSync(dirPath)].map(({ name }) => `${dirPath}/${name}`)
    .filter((path) => /^\d+$/.test(path.split("/").at(-1) ?? ""))
    .sort((one, other) => sizeOf(other) - sizeOf(one));
}

test(
  mountObstacle() ?? rootObstacle,
  "the diff's disk is full: ENOSPC, nothing earlier is lost, and work goes on when it is not [FR-620]",
  async () => {
    await using scene = await Scene.open({ fixture: "zlib-chain", owner: ordinaryUser() });
    const diskDir = `${scene.dirPath}/small`;
    Deno.mkdirSync(diskDir);
    await using _disk = mountTmpfs(diskDir, 24);
    Deno.writeFileSync(`${diskDir}/ballast`, filled(1, 4 * MEGABYTE));
    const options = { diffDir: `${diskDir}/diff` };
    {
      await using mount = await scene.mount("TOTL9U", options);
      fillTheDisk(mount.mountDir, `${diskDir}/ballast`);
      await mount.unmount();
    }
    await using mount = await scene.mount("TOTL9U", options);
    const [basePath = ""] = baseFiles(mount.mountDir);
    assert.deepEqual(Deno.readFileSync(`${mount.mountDir}/kept`), filled(5, MEGABYTE));
    const page = Deno.readFileSync(basePath).subarray(3 * PAGE, 4 * PAGE);
    assert.deepEqual(new Uint8Array(page), filled(3));
    const conf = Deno.readFileSync(`${mount.mountDir}/pg_hba.conf`);
    assert.deepEqual(new Uint8Array(conf.subarray(0, 100)), filled(35, 100));
  },
);

test(
  mountObstacle() ?? rootObstacle,
  "on a full disk, deleting files in the mount gives their space back [FR-620]",
  async () => {
    await using scene = await Scene.open({ fixture: "zlib-chain", owner: ordinaryUser() });
    const diskDir = `${scene.dirPath}/small`;
    Deno.mkdirSync(diskDir);
    await using _disk = mountTmpfs(diskDir, 20);
    await using mount = await scene.mount("TOTL9U", { diffDir: `${diskDir}/diff` });
    const path = `${mount.mountDir}/filler`;
    {
      using filler = new RawFile(path);
      const fill = () => {
        for (let page = 0; page < 8000; page++) {
          filler.write(page * PAGE, filled(4));
          if (page % 16 === 15) filler.sync();
        }
      };
      assert.equal(errnoFrom(fill), ERRNO.ENOSPC);
    }
    Deno.removeSync(path);
    syncDirectory(mount.mountDir);
    using file = new RawFile(`${mount.mountDir}/next`);
    file.write(0, filled(1, 4 * MEGABYTE));
    file.sync();
  },
);

test(
  mountObstacle(),
  "EIO from the diff reaches who syncs, and the mount goes on [FR-621]",
  async () => {
    await using scene = await Scene.open({ fixture: "zlib-chain", owner: ordinaryUser() });
    await using _mount = await mountFaulty(scene, "pwrite:/data/@3=EIO;commit@3=EIO");
    const errnos = await errnosOfFive(scene);
    assert(errnos.includes(ERRNO.EIO), `${errnos}`);
    assert.equal(errnos.at(-1), 0, "later files are none the worse");
  },
);

test(
  mountObstacle() ?? gatherObstacle,
  "what a quota refuses now and then takes reserved space, and nobody hears of it [FR-621]",
  async () => {
    await using scene = await Scene.open({ fixture: "zlib-chain", owner: ordinaryUser() });
    const faults = "pwrite:/data/@3=EDQUOT;commit@3=EDQUOT";
    await using mount = await mountFaulty(scene, faults);
    assert.deepEqual(await errnosOfFive(scene), [0, 0, 0, 0, 0]);
    assert.match(mount.log(), /what was accepted takes reserved space/);
    assert.match(mount.log(), /there is room for the diff again/);
  },
);

/** Syncs five files, one after another, looks at one that was written before, and remounts. */
async function errnosOfFive(scene: Scene): Promise<number[]> {
  const one = new RawFile(`${scene.mountDir}/one`);
  one.write(0, filled(1));
  one.sync();
  const errnos = [2, 3, 4, 5, 6].map((round) =>
    errnoFrom(() => {
      using file = new RawFile(`${scene.mountDir}/file-${round}`);
      file.write(0, filled(round));
      file.sync();
    })
  );
  assert.deepEqual(one.read(0, PAGE), filled(1));
  one.write(0, filled(7));
  one.sync();
  one[Symbol.dispose]();
  await runCli(["unmount", "-D", scene.mountDir]);
  await using again = await scene.mount("TOTL9U");
  assert.deepEqual(new Uint8Array(Deno.readFileSync(`${again.mountDir}/one`)), filled(7));
  assert.deepEqual(new Uint8Array(Deno.readFileSync(`${again.mountDir}/file-6`)), filled(6));
  return errnos;
}

test(
  mountObstacle(),
  "a sync that has failed fails once for each process, and then the file goes on [FR-625]",
  async () => {
    await using scene = await Scene.open({ fixture: "zlib-chain", owner: ordinaryUser() });
    await using _mount = await mountFaulty(scene, "fdatasync:/data/@2=EIO");
    using first = writtenFile(scene, "first", 1);
    assert.equal(sync(first), 0);
    using second = writtenFile(scene, "second", 2);
    // Another process that has been there all the time.
    await using other = await OtherProcess.open(`${scene.mountDir}/second`);
    assert.deepEqual([sync(second), sync(second), sync(second)], [5, 0, 0]);
    assert.deepEqual([await other.do("sync"), await other.do("sync")], [5, 0]);
    // The kernel tells when a process was started to a hundredth of a second.
    const heardAt = uptimeSeconds();
    assert(await waitUntil(() => uptimeSeconds() > heardAt + 0.02));
    await using late = await OtherProcess.open(`${scene.mountDir}/second`);
    assert.equal(await late.do("sync"), 0, "who came later has written nothing that was lost");
    assert.equal(sync(first), 0, "of other files it does not");
    second.write(0, filled(3));
    assert.equal(sync(second), 0);
    assert.deepEqual(second.read(0, PAGE), filled(3));
  },
);

test(
  mountObstacle() ?? gatherObstacle,
  "what the kernel could not write back is told once to each who has the file open [FR-625]",
  async () => {
    await using scene = await Scene.open({ fixture: "zlib-chain", owner: ordinaryUser() });
    await using _mount = await mountFaulty(scene, "pwrite:/data/@2=EIO");
    using first = writtenFile(scene, "first", 1);
    assert.equal(sync(first), 0);
    using second = writtenFile(scene, "second", 2);
    using again = new RawFile(`${scene.mountDir}/second`);
    await using other = await OtherProcess.open(`${scene.mountDir}/second`);
    assert.deepEqual([sync(second), sync(second), sync(again), sync(again)], [5, 0, 5, 0]);
    assert.deepEqual([await other.do("sync"), await other.do("sync")], [5, 0]);
    second.write(0, filled(3));
    assert.equal(sync(second), 0);
  },
);

for (const errno of ["EIO", "ESTALE"] as const) {
  test(
    mountObstacle(),
    `${errno} from the store reaches the reader, and other reads go on [FR-622]`,
    async () => {
      await using scene = await Scene.open({ fixture: "zlib-chain", owner: ordinaryUser() });
      let victim: string;
      {
        await using mount = await scene.mount("TOTL9U");
        victim = (baseFiles(mount.mountDir)[0] as string).split("/").at(-1) as string;
        await mount.unmount();
      }
      const faults = `pread:/database/base/5/${victim}@1-20=${errno}`;
      await using mount = await mountFaulty(scene, faults);
      const [path = "", second = ""] = baseFiles(scene.mountDir);
      using file = new RawFile(path);
      const read = () => errnoFrom(() => file.read(0, PAGE));
      assert.equal(read(), ERRNO[errno]);
      assert(Deno.readFileSync(second).length > 0, "another file");
      // Who asks again may be lucky: nothing of the failure is kept.
      let tries = 1;
      for (; read() !== 0; tries++) assert(tries < 40, "the store works again, but reads fail");
      assert.equal(file.read(0, PAGE).length, PAGE);
      void mount;
    },
  );
}

test(
  mountObstacle(),
  "a stored file that shrinks or disappears under the mount: EIO, a line in the log, no more [FR-623]",
  async () => {
    await using scene = await Scene.open({ fixture: "zlib-chain", owner: ordinaryUser() });
    await using mount = await mountFaulty(scene, "");
    const [shrinks = "", goes = "", stays = ""] = baseFiles(scene.mountDir);
    const storedAt = (path: string) =>
      ["TOTL93", "TOTL9E", "TOTL9J", "TOTL9U"].map((id) =>
        `${scene.catalogDir}/backups/main/${id}/database/${path.slice(scene.mountDir.length + 1)}`
      );
    for (const path of storedAt(goes)) rmSync(path, { force: true });
    for (const path of storedAt(shrinks)) truncateIfThere(path, 5000);
    for (const path of [shrinks, goes]) {
      using file = new RawFile(path);
      const name = path.slice(scene.mountDir.length + 1);
      assert.equal(errnoFrom(() => file.read(0, 8 * PAGE)), ERRNO.EIO, name);
      // The kernel has its answer before the line is on disk: another thread writes the log.
      const lineOf = () => mount.log().split("\n").find((text) => text.includes(`"${name}"`));
      assert(
        await waitUntil(() => lineOf() !== undefined),
        `the log names ${name}: ${mount.log()}`,
      );
      const line = lineOf() ?? "";
      assert.match(line, /block \d+ of/, "and the block");
    }
    assert(Deno.readFileSync(stays).length > 0, "other files go on");
    using written = new RawFile(`${scene.mountDir}/written`);
    written.write(0, filled(1));
    written.sync();
  },
);

test(
  mountObstacle(),
  "a daemon that may open few files serves thousands of them [FR-624]",
  async () => {
    await using scene = await Scene.open({ fixture: "zlib-chain", owner: ordinaryUser() });
    const arguments_ = mountArguments(scene.mountOptions("TOTL9U"));
    const cli = new URL("../../cli.ts", import.meta.url).pathname;
    const { code, stderr } = await new Deno.Command("sh", {
      args: [
        "-c",
        'ulimit -n 128; exec "$@"',
        "sh",
        Deno.execPath(),
        "run",
        "-A",
        cli,
        ...arguments_,
      ],
      stdout: "null",
    }).output();
    assert.equal(code, 0, new TextDecoder().decode(stderr));
    const callers: Deno.UnixConn[] = [];
    try {
      // Nor does it matter that many want to talk to it.
      for (let at = 0; at < 100; at++) {
        callers.push(
          await Deno.connect({ transport: "unix", path: `${scene.diffDir}/control.sock` }),
        );
      }
      for (const path of baseFiles(scene.mountDir)) {
        using file = new RawFile(path);
        const first = file.read(0, PAGE);
        if (first.length > 0) file.write(0, first as Uint8Array<ArrayBuffer>);
      }
      for (let at = 0; at < 2000; at++) {
        Deno.writeFileSync(`${scene.mountDir}/file-${at}`, filled(at % 256, 100));
      }
      syncDirectory(scene.mountDir);
      for (let at = 0; at < 2000; at += 7) {
        const content = Deno.readFileSync(`${scene.mountDir}/file-${at}`);
        assert.deepEqual(new Uint8Array(content), filled(at % 256, 100));
      }
    } finally {
      for (const caller of callers) caller.close();
      const { code, stderr } = await runCli(["unmount", "-D", scene.mountDir]);
      assert.equal(code, 0, stderr);
    }
    await using mount = await scene.mount("TOTL9U");
    const content = Deno.readFileSync(`${mount.mountDir}/file-1999`);
    assert.deepEqual(new Uint8Array(content), filled(1999 % 256, 100));
  },
);

test(
  mountObstacle() ?? rootObstacle,
  "a log that cannot be written to keeps nobody waiting [FR-626]",
  async () => {
    await using scene = await Scene.open({ fixture: "zlib-chain", owner: ordinaryUser() });
    const diskDir = `${scene.dirPath}/small`;
    Deno.mkdirSync(diskDir);
    await using _disk = mountTmpfs(diskDir, 16);
    const faults = "fdatasync:/data/@2-4=EIO;pread:/database/base/5/@30-40=EIO";
    const options = { diffDir: `${diskDir}/diff` };
    await using _mount = await mountFaulty(scene, faults, options);
    fillUp(`${diskDir}/ballast`);
    const errnos = [1, 2, 3, 4].map((round) => {
      using file = new RawFile(`${scene.mountDir}/postgresql.conf`);
      return errnoFrom(() => {
        file.write(0, filled(round, 10));
        file.sync();
      });
    });
    assert(errnos.some((errno) => errno !== 0), "something failed, and was answered");
    for (const path of baseFiles(scene.mountDir)) {
      using file = new RawFile(path);
      errnoFrom(() => void file.read(0, PAGE));
    }
    Deno.removeSync(`${diskDir}/ballast`);
  },
);

/** Runs into ENOSPC in every way, frees the ballast, and goes on. */
function fillTheDisk(mountDir: string, ballastPath: string): void {
  const [basePath = "", second = ""] = baseFiles(mountDir);
  using kept = new RawFile(`${mountDir}/kept`);
  kept.write(0, filled(2, MEGABYTE));
  kept.sync();
  using base = new RawFile(basePath);
  base.write(3 * PAGE, filled(3));
  base.sync();

  using filler = new RawFile(`${mountDir}/filler`);
  let chunks = 0;
  const fill = () => {
    for (; chunks < 100; chunks++) {
      filler.write(chunks * MEGABYTE, filled(4, MEGABYTE));
      filler.sync();
    }
  };
  assert.equal(errnoFrom(fill), ERRNO.ENOSPC, "a write that is synced");
  assert(chunks > 3, `${chunks} MB fitted`);
  const fillUp = () => {
    for (let page = 0; page < 1024; page++) {
      filler.write((chunks * 1024 + page * 8) * 1024, filled(4));
      filler.sync();
    }
  };
  assert.equal(errnoFrom(fillUp), ERRNO.ENOSPC, "page by page");
  assert.equal(errnoFrom(() => kept.reserve(0, 30 * MEGABYTE)), ERRNO.ENOSPC, "fallocate");
  const copyUp = () => {
    using file = new RawFile(`${mountDir}/pg_hba.conf`);
    file.write(0, filled(35, 100));
    file.sync();
  };
  assert.equal(errnoFrom(copyUp), ERRNO.ENOSPC, "a copy-up");
  const commits = () => {
    for (let at = 0; at < 8000; at++) {
      Deno.symlinkSync("t".repeat(4000), `${mountDir}/link-${at}`);
      if (at % 20 === 0) syncDirectory(mountDir);
    }
  };
  assert.equal(errnoFrom(commits), ERRNO.ENOSPC, "a commit of names");

  assert.deepEqual(kept.read(0, MEGABYTE), filled(2, MEGABYTE), "what was synced is there");
  assert.deepEqual(base.read(3 * PAGE, PAGE), filled(3));
  assert.equal(Deno.readFileSync(second).length % PAGE, 0, "the base can be read");

  Deno.removeSync(ballastPath);
  kept.write(0, filled(5, MEGABYTE));
  kept.sync();
  syncDirectory(mountDir);
  copyUp();
  // Else the unmount would tell that not all of it is on disk.
  Deno.removeSync(`${mountDir}/filler`);
}

function fillUp(path: string): void {
  try {
    using file = Deno.openSync(path, { write: true, create: true });
    for (const size of [MEGABYTE, 4096]) {
      try {
        for (;;) file.writeSync(filled(1, size));
      } catch {
        // Full, for pieces of this size.
      }
    }
  } catch {
    // Full.
  }
}

function truncateIfThere(path: string, sizeBytes: number): void {
  try {
    if (Deno.statSync(path).size > sizeBytes) Deno.truncateSync(path, sizeBytes);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** A file system of `megabytes`, for the length of a scope. */
function mountTmpfs(dirPath: string, megabytes: number): AsyncDisposable {
  const run = (program: string, args: string[]) => {
    const { success, stderr } = new Deno.Command(program, { args }).outputSync();
    assert(success, new TextDecoder().decode(stderr));
  };
  run("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m,mode=755`, "tmpfs", dirPath]);
  return {
    [Symbol.asyncDispose]() {
      run("umount", ["-l", dirPath]);
      return Promise.resolve();
    },
  };
}
