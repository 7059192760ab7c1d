import assert from "node:assert/strict";
import { TempDir } from "../tests/support/temp_dir.ts";
import { readBounded } from "./read_bounded.ts";
import { serverOn } from "./server_on.ts";

Deno.test("a file that is not longer than that is read whole, a longer one not at all [FR-861]", async () => {
  await using dir = TempDir.make();
  const path = `${dir.path}/file`;
  for (const text of ["", "x", "ü".repeat(50)]) {
    Deno.writeTextFileSync(path, text);
    assert.equal(await readBounded(path, 100), text);
  }
  Deno.writeTextFileSync(path, "x".repeat(101));
  assert.equal(await readBounded(path, 100), undefined);
  await assert.rejects(readBounded(`${dir.path}/none`, 100), Deno.errors.NotFound);
  // A file that says that it is empty, and is not.
  assert.match(await readBounded("/proc/self/stat", 4096) ?? "", /^\d+ \(/);
});

Deno.test("nothing but a regular file tells of a server, and nothing is waited for [FR-861]", async () => {
  await using dir = TempDir.make();
  const path = `${dir.path}/postmaster.pid`;
  const traps: Record<string, () => void> = {
    link: () => Deno.symlinkSync("/dev/zero", path),
    pipe: () => void new Deno.Command("mkfifo", { args: [path] }).outputSync(),
    directory: () => Deno.mkdirSync(path),
    long: () => Deno.writeTextFileSync(path, "1".repeat(1 << 20)),
  };
  assert.deepEqual(await serverOn(dir.path), { state: "none" });
  for (const [what, lay] of Object.entries(traps)) {
    lay();
    assert.deepEqual(await serverOn(dir.path), { state: "unknown" }, what);
    Deno.removeSync(path);
  }
  Deno.writeTextFileSync(path, `${Deno.pid}\n/clone\n1700000000\n5433\n`);
  assert.deepEqual(await serverOn(dir.path), { state: "gone", pid: Deno.pid, port: 5433 });
});
