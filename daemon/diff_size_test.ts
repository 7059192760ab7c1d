import assert from "node:assert/strict";
import { systemLibc } from "../ffi/libc.ts";
import { DiffMeter } from "./diff_size.ts";

Deno.test("FR-887 the size of a diff is counted in slices; who asks meanwhile gets the last one", async () => {
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
    const meter = new DiffMeter(dirPath, slow);
    const first = await meter.size(0);
    assert.equal(first.isComplete, false);
    const { ageSeconds, ...whole } = await meter.size(600_000);
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
    assert.equal((await meter.size(0)).dataBytes, whole.dataBytes, "nobody waits for a new count");
    const quick = new DiffMeter(dirPath, systemLibc());
    assert((await quick.size(600_000)).dataBytes >= whole.dataBytes + 1_000_000);
  } finally {
    Deno.removeSync(dirPath, { recursive: true });
  }
});

Deno.test("FR-887 of a diff that is not there nothing is counted", async () => {
  const meter = new DiffMeter("/nowhere/at/all", systemLibc());
  const { dataBytes, otherBytes, isComplete } = await meter.size(600_000);
  assert.deepEqual([dataBytes, otherBytes, isComplete], [0, 0, true]);
});

/** A call that takes a tenth of a millisecond more. */
function slowly<T extends unknown[], R>(call: (...args: T) => R): (...args: T) => R {
  return (...args) => {
    for (const end = performance.now() + 0.1; performance.now() < end;);
    return call(...args);
  };
}
