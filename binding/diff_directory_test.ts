import assert from "node:assert/strict";
import { systemLibc } from "../ffi/libc.ts";
import type { Binding } from "./binding.ts";
import { DiffDirectory, readBinding } from "./diff_directory.ts";
import { testUnless } from "../tests/support/skip.ts";
import { readOwner } from "./diff_lock.ts";

const libc = systemLibc();
const OWNER = { uid: Deno.uid() ?? 0, gid: Deno.gid() ?? 0 };
const BINDING: Binding = {
  version: 2,
  kind: "pg_probackup",
  catalogPath: "/backup",
  instance: "main",
  backupId: "TOTL9E",
  chain: [{ id: "TOTL9E" }],
  serverVersion: "15",
  mountPath: "/mnt/clone",
  wal: "outside",
  createdAt: 0,
  owner: OWNER,
  settings: [],
  madeBy: "pbkfs 0.1.0",
};

async function inDirectory(body: (dirPath: string) => void | Promise<void>): Promise<void> {
  const dirPath = Deno.makeTempDirSync({ prefix: "pbkfs-test-" });
  try {
    await body(dirPath);
  } finally {
    Deno.removeSync(dirPath, { recursive: true });
  }
}

Deno.test("a new diff belongs to a backup from the moment its binding is there [FR-735]", async () => {
  await inDirectory((dirPath) => {
    const path = `${dirPath}/diff`;
    const diff = DiffDirectory.open(path, libc);
    assert.equal(diff.binding, undefined);
    diff.begin(OWNER);
    assert.equal(readBinding(path), undefined);
    diff.finish(BINDING);
    assert.deepEqual(readBinding(path), BINDING);
    diff.release();
    const again = DiffDirectory.open(path, libc);
    assert.deepEqual(again.binding, BINDING);
    again.release();
    assert.equal((Deno.statSync(`${path}/.pbkfs-binding.json`).mode ?? 0) & 0o777, 0o600);
  });
});

Deno.test("what an attempt that died has left is removed by the next [FR-735]", async () => {
  await inDirectory((path) => {
    Deno.mkdirSync(`${path}/data`);
    Deno.writeTextFileSync(`${path}/data/1`, "half");
    Deno.mkdirSync(`${path}/wal.tmp`);
    Deno.writeTextFileSync(`${path}/.pbkfs-binding.json.tmp`, "{");
    const diff = DiffDirectory.open(path, libc);
    diff.begin(OWNER);
    assert.deepEqual([...Deno.readDirSync(diff.paths.data)], []);
    diff.abandon();
    assert.deepEqual([...Deno.readDirSync(path)], []);
  });
});

Deno.test("a diff that cannot begin leaves no directory that was not there [FR-735]", async () => {
  await inDirectory((dirPath) => {
    const diff = DiffDirectory.open(`${dirPath}/diff`, libc);
    diff.begin(OWNER);
    diff.abandon();
    assert.deepEqual([...Deno.readDirSync(dirPath)], []);
  });
});

Deno.test("links that lie where files of a diff go are not followed [FR-735]", async () => {
  await inDirectory((dirPath) => {
    const [path, target] = [`${dirPath}/diff`, `${dirPath}/target`];
    Deno.writeTextFileSync(target, "precious");
    const diff = DiffDirectory.open(path, libc);
    diff.begin(OWNER);
    Deno.symlinkSync(target, `${path}/.pbkfs-binding.json.tmp`);
    diff.finish(BINDING);
    assert.equal(Deno.readTextFileSync(target), "precious");
    assert.deepEqual(readBinding(path), BINDING);
    diff.release();
  });
});

testUnless(
  Deno.uid() === 0 ? undefined : "files of several owners need root",
  "root keeps the diff, and lets the owner of the files pass through [FR-735]",
  async () => {
    await inDirectory((dirPath) => {
      const path = `${dirPath}/diff`;
      const owner = { uid: 65534, gid: 65534 };
      const diff = DiffDirectory.open(path, libc);
      diff.begin(owner);
      diff.finish({ ...BINDING, owner });
      const facts = (of: string) => {
        const { uid, gid, mode } = Deno.statSync(of);
        return { uid, gid, mode: ((mode ?? 0) & 0o777).toString(8) };
      };
      assert.deepEqual(facts(path), { uid: 0, gid: owner.gid, mode: "710" });
      assert.deepEqual(facts(diff.paths.wal), { ...owner, mode: "700" });
      diff.release();
    });
  },
);

Deno.test("the group of a cluster with group access reaches the WAL, and nothing else [FR-173]", async () => {
  const modeOf = (path: string) => ((Deno.statSync(path).mode ?? 0) & 0o7777).toString(8);
  for (const [walMode, expected] of [[0o750, "750"], [0o700, "700"], [0o777, "750"]] as const) {
    await inDirectory((dirPath) => {
      const umask = Deno.umask(0o077);
      const diff = DiffDirectory.open(`${dirPath}/diff`, libc);
      diff.begin(OWNER, walMode);
      diff.finish(BINDING);
      Deno.umask(umask);
      assert.equal(modeOf(diff.paths.wal), expected);
      assert.equal(modeOf(diff.paths.data), "700");
      assert.equal(modeOf(diff.path), walMode === 0o700 ? "700" : "710");
      assert.equal(Deno.statSync(diff.path).gid, OWNER.gid);
      diff.release();
    });
  }
});

Deno.test("a directory that was there gets its mode back when the diff cannot begin [FR-173]", async () => {
  await inDirectory((dirPath) => {
    Deno.chmodSync(dirPath, 0o700);
    const diff = DiffDirectory.open(dirPath, libc);
    diff.begin(OWNER, 0o750);
    diff.abandon();
    assert.equal((Deno.statSync(dirPath).mode ?? 0) & 0o7777, 0o700);
  });
});

Deno.test("a directory with other things in it, or none at all, is refused untouched [FR-736]", async () => {
  await inDirectory((dirPath) => {
    Deno.writeTextFileSync(`${dirPath}/thesis`, "precious");
    assert.throws(() => DiffDirectory.open(dirPath, libc), { code: "DiffForeign" });
    assert.throws(() => DiffDirectory.open(`${dirPath}/thesis`, libc), { code: "DiffMisplaced" });
    assert.throws(() => DiffDirectory.open(`${dirPath}/a/b`, libc), { code: "DiffMisplaced" });
    assert.deepEqual([...Deno.readDirSync(dirPath)].map(({ name }) => name), ["thesis"]);
  });
});

Deno.test("what lies in place of a binding or a lock's text is not waited for, and far too much not read [FR-890]", async () => {
  await inDirectory(async (dirPath) => {
    const diff = DiffDirectory.open(dirPath, libc);
    diff.begin(OWNER);
    diff.finish(BINDING);
    diff.release();
    const path = `${dirPath}/.pbkfs-binding.json`;
    const refused = (why: RegExp) =>
      assert.throws(() => readBinding(dirPath), { code: "DiffDamaged", message: why });
    for (const bytes of [2 ** 40, 2 ** 21]) {
      Deno.truncateSync(path, bytes);
      refused(new RegExp(`${bytes} bytes`));
    }
    Deno.removeSync(path);
    Deno.mkdirSync(path);
    refused(/no plain file/);
    Deno.removeSync(path);
    Deno.symlinkSync("/etc/passwd", path);
    refused(/symbolic link/);
    Deno.removeSync(path);
    assert((await new Deno.Command("mkfifo", { args: [path] }).output()).success);
    refused(/no plain file/);
    Deno.removeSync(path);
    for (
      const spoilt of [
        { chain: [null] },
        { chain: [{ id: 7 }] },
        { chain: ["TOTL9E"] },
        { settings: [null] },
        { owner: { uid: -1, gid: 0 } },
        { owner: { uid: 2 ** 32, gid: 0 } },
        { createdAt: 1e300 },
        { createdAt: 0.5 },
      ]
    ) {
      Deno.writeTextFileSync(path, JSON.stringify({ ...BINDING, ...spoilt }));
      refused(/values that cannot be/);
    }
    const lockPath = `${dirPath}/.pbkfs-lock`;
    Deno.truncateSync(lockPath, 2 ** 40);
    assert.equal(readOwner(dirPath), undefined);
    Deno.removeSync(lockPath);
    assert((await new Deno.Command("mkfifo", { args: [lockPath] }).output()).success);
    assert.equal(readOwner(dirPath), undefined);
  });
});
