import assert from "node:assert/strict";
import { systemLibc } from "../ffi/libc.ts";
import { DiffMeter } from "./diff_size.ts";
import { Scheduler } from "./scheduler.ts";

/** Background tasks of a mount that nobody uses. */
function background(): Scheduler {
  return new Scheduler({
    waitedMs: () => 0,
    complain: (_what, error) => {
      throw error;
    },
  });
}

Deno.test("the size of a diff is counted in slices; who asks meanwhile gets the last one [FR-887]", async () => {
  const dirPath = Deno.makeTempDirSync({ prefix: "pbkfs-test-" });
  try {
    for (const name of ["data", "wal", "wal/archive_status"]) Deno.mkdirSync(`${dirPath}/${name}`);
    const write = (name: string, bytes: number) =>
      Deno.writeFileSync(`${dirPath}/${name}`, new Uint8Array(bytes).fill(1));
    for (let n = 0; n < 1000; n++) write(`data/${n}`, 10);
    write("wal/1", 50_000);
    write("wal/archive_status/1", 5000);
    write("reserve", 500_000);
    Deno.symlinkSync("/", `${dirPath}/data/link`);
    const spaceOf = (...names: string[]) =>
      names.reduce((sum, name) => sum + Deno.lstatSync(`${dirPath}/${name}`).blocks! * 512, 0);
    const slow = { ...systemLibc(), statAt: slowly(systemLibc().statAt) };
    const meter = new DiffMeter(dirPath, slow, background());
    const { size: first } = await meter.measure(0);
    assert.equal(first.isComplete, false);
    const { ageSeconds, ...whole } = (await meter.measure(600_000)).size;
    assert(ageSeconds >= 0);
    const files = Array.from({ length: 1000 }, (_, n) => `data/${n}`);
    assert.deepEqual(whole, {
      dataBytes: spaceOf("data", ...files),
      walBytes: spaceOf("wal", "wal/1", "wal/archive_status", "wal/archive_status/1"),
      otherBytes: spaceOf(""),
      isComplete: true,
    });
    assert(first.dataBytes < whole.dataBytes);
    write("data/more", 1_000_000);
    assert.equal(
      (await meter.measure(0)).size.dataBytes,
      whole.dataBytes,
      "nobody waits for a new count",
    );
    const quick = new DiffMeter(dirPath, systemLibc(), background());
    assert((await quick.measure(600_000)).size.dataBytes >= whole.dataBytes + 1_000_000);
  } finally {
    Deno.removeSync(dirPath, { recursive: true });
  }
});

Deno.test("of a diff that is not there nothing is counted [FR-887]", async () => {
  const meter = new DiffMeter("/nowhere/at/all", systemLibc(), background());
  const { size, strays } = await meter.measure(600_000);
  assert.deepEqual([size.dataBytes, size.otherBytes, size.isComplete], [0, 0, true]);
  assert.deepEqual(strays, { count: 0, sizeBytes: 0 });
});

Deno.test("strays are counted in the same slices, apart from the size; nobody waits for many [FR-1014]", async () => {
  const dirPath = Deno.makeTempDirSync({ prefix: "pbkfs-test-" });
  try {
    Deno.mkdirSync(`${dirPath}/lost+found`);
    // At the top of a file system, fsck puts files there that are not ours.
    for (const name of ["#12", ...Array.from({ length: 300 }, (_, n) => `${n}`)]) {
      Deno.writeFileSync(`${dirPath}/lost+found/${name}`, new Uint8Array(10).fill(1));
    }
    const spaceOf = (name: string) => Deno.lstatSync(`${dirPath}/${name}`).blocks! * 512;
    const slow = { ...systemLibc(), statAt: slowly(systemLibc().statAt) };
    const meter = new DiffMeter(dirPath, slow, background());
    const first = await meter.measure(0);
    assert(!first.size.isComplete && first.strays.count < 300, "who asks does not wait");
    const { size, strays } = await meter.measure(600_000);
    assert.deepEqual(strays, { count: 300, sizeBytes: 300 * spaceOf("lost+found/1") });
    assert.deepEqual([size.isComplete, size.otherBytes], [true, spaceOf("")]);
    Deno.removeSync(`${dirPath}/lost+found/1`);
    const quick = new DiffMeter(dirPath, systemLibc(), background());
    assert.equal((await quick.measure(600_000)).strays.count, 299);
  } finally {
    Deno.removeSync(dirPath, { recursive: true });
  }
});

/** A call that takes a tenth of a millisecond more. */
function slowly<T extends unknown[], R>(call: (...args: T) => R): (...args: T) => R {
  return (...args) => {
    for (const end = performance.now() + 0.1; performance.now() < end;);
    return call(...args);
  };
}
