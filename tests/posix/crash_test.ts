/** What is left when the process behind a mount is killed. */

import assert from "node:assert/strict";
import { byteStringOf } from "../../ffi/bytes.ts";
import { runCli } from "../support/cli.ts";
import { close, lstat, mkdir, open, pwrite, rename, unlink } from "../support/posix.ts";
import { Scene } from "../support/scene.ts";
import { mountObstacle, testUnless } from "../support/skip.ts";
import { assertBytes, fill, O, sync } from "./place.ts";

const PAGE = 8192;
const b = byteStringOf;

/** Kills the daemon of a mount, and clears the mount away. */
async function kill(mountDir: string): Promise<void> {
  const { stdout } = await runCli(["status", "-D", mountDir, "--json"]);
  const { pid } = JSON.parse(stdout).mounts[0] as { pid: number };
  Deno.kill(pid, "SIGKILL");
  while (isRunning(pid)) await new Promise((resolve) => setTimeout(resolve, 10));
  const { code, stderr } = await runCli(["unmount", "-D", mountDir]);
  assert.equal(code, 0, stderr);
}

/** A zombie has ended as well. */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(Deno.readTextFileSync(`/proc/${pid}/status`));
  } catch {
    return false;
  }
}

function write(path: string, bytes: Uint8Array<ArrayBuffer>, at: number): void {
  const fd = open(b(path), O.create | O.readWrite);
  try {
    pwrite(fd, bytes, at);
  } finally {
    close(fd);
  }
}

testUnless(
  mountObstacle(),
  "when the daemon is killed, a remount shows all that was synced, and nothing that never was [FR-450]",
  async () => {
    const owner = { uid: Deno.uid() ?? 0, gid: Deno.gid() ?? 0 };
    await using scene = await Scene.open({ fixture: "zlib-chain", owner });
    const root = scene.mountDir;
    const [large, cut, gone, moved] = ["1255", "1259", "2619", "2838"]
      .map((name) => `${root}/base/1/${name}`) as [string, string, string, string];
    const expected = new Map<string, Uint8Array>();
    {
      await using _mount = await scene.mount("TOTL9U", { restart: false });
      const before = Deno.readFileSync(large);
      write(large, fill(PAGE + 10), 3 * PAGE - 5);
      before.set(fill(PAGE + 10), 3 * PAGE - 5);
      expected.set(large, before);
      expected.set(cut, Deno.readFileSync(cut).subarray(0, PAGE + 1));
      Deno.truncateSync(cut, PAGE + 1);
      write(`${root}/new`, fill(100_000, 2), 0);
      expected.set(`${root}/new`, fill(100_000, 2));
      expected.set(`${root}/base/moved`, Deno.readFileSync(moved));
      rename(b(moved), b(`${root}/base/moved`));
      unlink(b(gone));
      mkdir(b(`${root}/dir`));
      rename(b(`${root}/pg_notify`), b(`${root}/dir/notes`));
      for (const path of [large, cut, `${root}/new`, root]) sync(path);
      // From here on nobody asks for a sync.
      write(large, fill(PAGE, 5), 10 * PAGE);
      write(`${root}/late`, fill(10, 6), 0);
      unlink(b(`${root}/base/moved`));
      await kill(root);
    }
    await using mount = await scene.mount("TOTL9U");
    const late = Deno.readFileSync(large);
    const page = (bytes: Uint8Array) => bytes.subarray(10 * PAGE, 11 * PAGE);
    const old = page(expected.get(large) as Uint8Array).slice();
    assert(
      [old, fill(PAGE, 5)].some((bytes) => Deno.inspect(bytes) === Deno.inspect(page(late))),
      "a page that was not synced is old or new",
    );
    late.set(old, 10 * PAGE);
    for (const [path, bytes] of expected) {
      const actual = path === large ? late : Deno.readFileSync(path);
      assertBytes(actual, bytes, path);
    }
    for (const path of [gone, moved, `${root}/pg_notify`]) {
      assert.throws(() => lstat(b(path)), { errno: 2 }, path);
    }
    assert.equal(lstat(b(`${root}/dir/notes`)).type, "directory");
    await mount.unmount();
  },
);

testUnless(
  mountObstacle(),
  "a file whose pages are lost does not hide the other files of its directory [FR-451]",
  async () => {
    const owner = { uid: Deno.uid() ?? 0, gid: Deno.gid() ?? 0 };
    await using scene = await Scene.open({ fixture: "zlib-chain", owner });
    const store = `${scene.catalogDir}/backups/main/TOTL93/database`;
    await using mount = await scene.mount("TOTL93");
    Deno.removeSync(`${store}/base/1/1255`);
    const names = [...Deno.readDirSync(`${mount.mountDir}/base/1`)].map(({ name }) => name);
    assert(names.includes("1255") && names.includes("1259") && names.length > 200);
    assert.throws(() => Deno.readFileSync(`${mount.mountDir}/base/1/1255`), { code: "EIO" });
    for (const name of names.filter((name) => name !== "1255")) {
      assert(lstat(b(`${mount.mountDir}/base/1/${name}`)).type === "file");
    }
    assert(Deno.readFileSync(`${mount.mountDir}/base/1/1259`).length > 0);
    await mount.unmount();
  },
);
