/** What is read or changed costs its pages, not the files that they are in. */

import assert from "node:assert/strict";
import { FULL, sampleObstacle } from "./support/samples.ts";
import { Scene } from "./support/scene.ts";
import { mountObstacle, testUnless } from "./support/skip.ts";
import { spaceBytes } from "./support/space.ts";
import { countersOf } from "./support/status.ts";
import { ordinaryUser } from "./support/users.ts";

testUnless(
  sampleObstacle(),
  "an UPDATE of one row adds a few pages to the diff, not the table's file [FR-340]",
  async () => {
    await using scene = await Scene.open({ ...FULL, owner: ordinaryUser() });
    await using mount = await scene.mount(FULL.backupId);
    const walDir = Deno.realPathSync(`${mount.mountDir}/pg_wal`);
    await using server = await scene.startServer(mount.mountDir, { autovacuum: "off" });
    const tableBytes = Number(await server.query("select pg_relation_size('shrink')"));
    await server.query("checkpoint");
    const before = spaceBytes(scene.diffDir, walDir);
    // By its place, so that no other page is read: a read may set hint bits, which is a write.
    await server.query(["update shrink set i = -i where ctid = '(100,1)'", "checkpoint"]);
    const added = spaceBytes(scene.diffDir, walDir) - before;
    assert(tableBytes > 3_000_000, `${tableBytes} bytes are too few to tell`);
    assert(added > 0, "the change is in the diff");
    assert(added < 100_000, `${added} bytes for one row in a table of ${tableBytes}`);
    await server.stop();
  },
);

testUnless(
  mountObstacle(),
  "a block of the largest table costs a few pages of the store [FR-341]",
  async () => {
    await using scene = await Scene.open({ fixture: "zlib-chain", owner: ordinaryUser() });
    await using mount = await scene.mount("TOTL93");
    const { path, sizeBytes } = largestFile(`${mount.mountDir}/base`);
    const before = await countersOf(mount.mountDir);
    {
      using file = Deno.openSync(path);
      file.seekSync(8192 * 100, Deno.SeekMode.Start);
      assert.equal(file.readSync(new Uint8Array(8192)), 8192);
    }
    const after = await countersOf(mount.mountDir);
    const read = (name: string) => (after[name] ?? 0) - (before[name] ?? 0);
    const cost = read("storeBytesRead") + read("indexBytesRead");
    assert(sizeBytes > 3_000_000, `${path} with ${sizeBytes} bytes is too small to tell`);
    assert(cost > 0, "it was read from the store");
    assert(cost < 32 * 1024, `${cost} bytes were read for one block of ${sizeBytes} bytes`);
  },
);

function largestFile(dirPath: string): { path: string; sizeBytes: number } {
  return [...Deno.readDirSync(dirPath)].map((entry) => {
    const path = `${dirPath}/${entry.name}`;
    return entry.isDirectory ? largestFile(path) : { path, sizeBytes: Deno.statSync(path).size };
  }).reduce((one, other) => one.sizeBytes > other.sizeBytes ? one : other, {
    path: dirPath,
    sizeBytes: 0,
  });
}
