/** A full disk is what it is on ext4: the write that does not fit fails, and nothing else does. */

import assert from "node:assert/strict";
import { ERRNO } from "../errors.ts";
import { errnoFrom, filled, RawFile } from "./support/raw_file.ts";
import { Scene } from "./support/scene.ts";
import { freeBytes, mountSmallDisk, smallDiskObstacle } from "./support/small_disk.ts";
import { mountObstacle, testUnless } from "./support/skip.ts";
import { ordinaryUser } from "./support/users.ts";

const MIB = 1 << 20;
const obstacle = mountObstacle() ?? smallDiskObstacle();

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

testUnless(
  obstacle,
  "FR-460 on a full disk the write fails that does not fit; what was accepted can be synced",
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
    for (const line of ["space for the diff is low", "is full", "room for the diff again"]) {
      assert(log.includes(line), `${line}: ${log}`);
    }
  },
);

function assertNotThere(path: string): void {
  assert.throws(() => Deno.lstatSync(path), Deno.errors.NotFound);
}
