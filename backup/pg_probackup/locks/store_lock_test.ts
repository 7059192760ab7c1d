import assert from "node:assert/strict";
import { ERRNO, PbkfsError } from "../../../errors.ts";
import { type Libc, systemLibc } from "../../../ffi/libc.ts";
import { StoreLock, type StoreLockOptions } from "./store_lock.ts";

const isRoot = Deno.uid() === 0;

/** Backups to lock, oldest first, in a directory of their own. */
class Store {
  readonly dirPath = Deno.makeTempDirSync({ prefix: "pbkfs-test-" });
  readonly members = ["FULL", "PAGE1", "PAGE2"].map((id) => ({
    id,
    dirPath: `${this.dirPath}/${id}`,
  }));

  constructor() {
    for (const { dirPath } of this.members) Deno.mkdirSync(dirPath);
  }

  take(options: Partial<StoreLockOptions> = {}): Promise<StoreLock> {
    const { members } = this;
    return StoreLock.take({ members, pid: Deno.pid, libc: systemLibc(), waitMs: 0, ...options });
  }

  path(id: string, name = "backup_ro.pid"): string {
    return `${this.dirPath}/${id}/${name}`;
  }

  /** Names in all directories. */
  get files(): string[] {
    return this.members.flatMap(({ id, dirPath }) =>
      [...Deno.readDirSync(dirPath)].map(({ name }) => `${id}/${name}`)
    ).sort();
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.dirPath, { recursive: true });
  }
}

/** A process that is there, and one that is no more. */
async function liveAndDead(): Promise<{ live: Deno.ChildProcess; dead: number }> {
  const run = (command: string) =>
    new Deno.Command("sh", { args: ["-c", command], stdin: "null" }).spawn();
  const gone = run("true");
  await gone.status;
  return { live: run("exec sleep 60"), dead: gone.pid };
}

async function end(process: Deno.ChildProcess): Promise<void> {
  process.kill("SIGKILL");
  await process.status;
}

Deno.test("our pid is in the list of every member, and gone after release [FR-710]", async () => {
  using store = new Store();
  const lock = await store.take();
  assert.deepEqual(store.files, ["FULL", "PAGE1", "PAGE2"].map((id) => `${id}/backup_ro.pid`));
  for (const { id } of store.members) {
    assert.equal(Deno.readTextFileSync(store.path(id)), `${Deno.pid}\n`);
  }
  await lock.release();
  assert.deepEqual(store.files, []);
});

Deno.test("other live pids stay in the list, dead ones are dropped [FR-710]", async () => {
  using store = new Store();
  const { live, dead } = await liveAndDead();
  try {
    Deno.writeTextFileSync(store.path("PAGE1"), `${dead}\n${live.pid}\n`);
    const lock = await store.take();
    assert.equal(Deno.readTextFileSync(store.path("PAGE1")), `${live.pid}\n${Deno.pid}\n`);
    await lock.release();
    assert.deepEqual(store.files, ["PAGE1/backup_ro.pid"]);
    assert.equal(Deno.readTextFileSync(store.path("PAGE1")), `${live.pid}\n`);
  } finally {
    await end(live);
  }
});

/** Without the descriptor of a directory that a path begins with. */
function placeOf(path: string): string {
  return path.replace(/^\/proc\/self\/fd\/\d+/, (link) => Deno.readLinkSync(link));
}

Deno.test("members are locked oldest first, with the exclusive lock held meanwhile [FR-710]", async () => {
  using store = new Store();
  const made: string[] = [];
  const libc: Libc = { ...systemLibc() };
  libc.open = (path, flags, mode) => {
    const name = placeOf(path).slice(store.dirPath.length + 1);
    if (name === "") return systemLibc().open(path, flags, mode);
    const isHeld = store.files.includes(name.replace(/\/.*/, "/backup.pid"));
    made.push(`${name}${isHeld ? " held" : ""}`);
    return systemLibc().open(path, flags, mode);
  };
  const lock = await store.take({ libc });
  assert.deepEqual(
    made,
    ["FULL", "PAGE1", "PAGE2"].flatMap((id) => [
      `${id}/backup.pid`,
      `${id}/backup_ro.pidtmp held`,
    ]),
  );
  await lock.release();
});

Deno.test("the exclusive lock of a dead process, of nobody, or of our own pid is removed [FR-711]", async () => {
  using store = new Store();
  const { live, dead } = await liveAndDead();
  await end(live);
  for (const text of [`${dead}\n`, "nonsense\n", "-5\n", `${Deno.pid}\n`]) {
    Deno.writeTextFileSync(store.path("FULL", "backup.pid"), text);
    const lock = await store.take();
    await lock.release();
    assert.deepEqual(store.files, [], text);
  }
});

Deno.test("an empty exclusive lock is being written, and after a while it is stale [FR-711]", async () => {
  using store = new Store();
  Deno.writeTextFileSync(store.path("FULL", "backup.pid"), "");
  await assert.rejects(store.take({ waitMs: 100 }), { code: "StoreLocked" });
  const lock = await store.take({ waitMs: 2_000, emptyMs: 100 });
  await lock.release();
  assert.deepEqual(store.files, []);
});

Deno.test("a live process with the exclusive lock is waited for [FR-711]", async () => {
  using store = new Store();
  const { live } = await liveAndDead();
  Deno.writeTextFileSync(store.path("PAGE2", "backup.pid"), `${live.pid}\n`);
  const taking = store.take({ waitMs: 20_000 });
  await new Promise((resolve) => setTimeout(resolve, 100));
  await end(live);
  await (await taking).release();
  assert.deepEqual(store.files, []);
});

Deno.test("one that does not let go in time is named, and no lock of ours stays [FR-711]", async () => {
  using store = new Store();
  const { live } = await liveAndDead();
  try {
    Deno.writeTextFileSync(store.path("PAGE2", "backup.pid"), `${live.pid}\n`);
    await assert.rejects(store.take({ waitMs: 50 }), {
      code: "StoreLocked",
      message: new RegExp(`PAGE2 is locked by process ${live.pid}`),
    });
    assert.deepEqual(store.files, ["PAGE2/backup.pid"]);
  } finally {
    await end(live);
  }
});

Deno.test("waiting can be given up, and leaves nothing [FR-711]", async () => {
  using store = new Store();
  const { live } = await liveAndDead();
  try {
    Deno.writeTextFileSync(store.path("PAGE2", "backup.pid"), `${live.pid}\n`);
    const signal = AbortSignal.timeout(50);
    await assert.rejects(store.take({ waitMs: 60_000, signal }));
    assert.deepEqual(store.files, ["PAGE2/backup.pid"]);
  } finally {
    await end(live);
  }
});

Deno.test("release does not wait for somebody who waits for us [FR-712]", async () => {
  using store = new Store();
  const { live } = await liveAndDead();
  try {
    const lock = await store.take();
    for (const { id } of store.members) {
      Deno.writeTextFileSync(store.path(id, "backup.pid"), `${live.pid}\n`);
    }
    const start = Date.now();
    await lock.release();
    assert(Date.now() - start < 5_000);
    // Its pid stays; who waits sees our process end.
    assert.equal(Deno.readTextFileSync(store.path("FULL")), `${Deno.pid}\n`);
    assert.equal(Deno.readTextFileSync(store.path("FULL", "backup.pid")), `${live.pid}\n`);
  } finally {
    await end(live);
  }
});

Deno.test({
  name: "as root, lock files belong to the owner of the backup, who can read them [FR-713]",
  ignore: !isRoot,
  async fn() {
    using store = new Store();
    const owner = { uid: 65534, gid: 65534 };
    for (const { dirPath } of store.members) Deno.chownSync(dirPath, owner.uid, owner.gid);
    const umask = Deno.umask(0o077);
    try {
      const lock = await store.take();
      const { uid, gid, mode } = Deno.statSync(store.path("FULL"));
      assert.deepEqual({ uid, gid }, owner);
      assert.equal((mode ?? 0) & 0o777, 0o644);
      assert.equal(Deno.umask(), 0o077);
      await lock.release();
    } finally {
      Deno.umask(umask);
    }
  },
});

Deno.test("links that lie where lock files go are not followed [FR-713]", async () => {
  using store = new Store();
  const target = `${store.dirPath}/target`;
  Deno.writeTextFileSync(target, "precious");
  Deno.symlinkSync(target, store.path("FULL", "backup_ro.pidtmp"));
  const lock = await store.take();
  await lock.release();
  assert.equal(Deno.readTextFileSync(target), "precious");
});

Deno.test("a catalog that cannot be written to is told by its errno [FR-714]", async () => {
  for (const errno of [ERRNO.EROFS, ERRNO.EACCES]) {
    using store = new Store();
    const libc: Libc = { ...systemLibc() };
    libc.open = (path, ...rest) => {
      if (placeOf(path).includes("PAGE1")) {
        throw new PbkfsError("Io", { what: "open failed", errno });
      }
      return systemLibc().open(path, ...rest);
    };
    await assert.rejects(store.take({ libc }), { code: "Io", errno });
    assert.deepEqual(store.files, [], "what was locked is let go");
  }
});
