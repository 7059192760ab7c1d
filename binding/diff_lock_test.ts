import assert from "node:assert/strict";
import { systemLibc } from "../ffi/libc.ts";
import { afterDeath, DiffLock, isLocked, readOwner } from "./diff_lock.ts";
import { pathsIn } from "./layout.ts";
import { fateOf, type Machine, type Owner, parseOwner, thisMachine } from "./owner.ts";

const libc = systemLibc();
const HERE: Machine = { host: "here", bootId: "boot-1" };

/** Runs `body` with an empty directory. */
function inDirectory(body: (dirPath: string) => void): void {
  const dirPath = Deno.makeTempDirSync({ prefix: "pbkfs-test-" });
  try {
    body(dirPath);
  } finally {
    Deno.removeSync(dirPath, { recursive: true });
  }
}

/** As if a process had taken the diff on `machine`, and died. */
function leave(dirPath: string, machine: Machine, text?: string): void {
  const owner: Owner = { pid: 4711, ...machine, startedAt: "2024-05-01T10:00:00.000Z" };
  Deno.writeTextFileSync(pathsIn(dirPath).lock, text ?? `${JSON.stringify(owner)}\n`);
}

Deno.test("a second owner is refused, and told who the first is [FR-705]", () => {
  inDirectory((dirPath) => {
    const lock = DiffLock.take(dirPath, libc, { machine: HERE });
    assert.equal(isLocked(dirPath, libc), true);
    assert.throws(() => DiffLock.take(dirPath, libc, { machine: HERE, force: true }), {
      code: "DiffInUse",
      message: new RegExp(`process ${Deno.pid} on here since 20`),
    });
    lock.release();
    assert.equal(isLocked(dirPath, libc), false);
    DiffLock.take(dirPath, libc, { machine: HERE }).release();
  });
});

Deno.test("the lock file tells pid, host, boot id and times as JSON, to its owner only [FR-705]", () => {
  inDirectory((dirPath) => {
    const lock = DiffLock.take(dirPath, libc);
    const path = pathsIn(dirPath).lock;
    const told = JSON.parse(Deno.readTextFileSync(path));
    assert.deepEqual(told, lock.owner);
    assert.deepEqual({ host: told.host, bootId: told.bootId }, thisMachine());
    assert.match(told.bootId, /^[0-9a-f-]{36}$/);
    assert.equal((Deno.statSync(path).mode ?? 0) & 0o777, 0o600);
    lock.release();
    assert.match(readOwner(dirPath)?.releasedAt ?? "", /^20.*Z$/);
  });
});

Deno.test("what a process that died has left is recovered, and told once [FR-706]", () => {
  inDirectory((dirPath) => {
    leave(dirPath, HERE);
    const lock = DiffLock.take(dirPath, libc, { machine: HERE });
    assert.match(lock.recovered ?? "", /process 4711 on here .* died/);
    lock.release();
    const next = DiffLock.take(dirPath, libc, { machine: HERE });
    assert.equal(next.recovered, undefined);
    next.release();
  });
});

Deno.test("what was left before the machine went down is recovered, and told [FR-706]", () => {
  inDirectory((dirPath) => {
    leave(dirPath, HERE);
    const machine = { ...HERE, bootId: "boot-2" };
    const lock = DiffLock.take(dirPath, libc, { machine });
    assert.match(lock.recovered ?? "", /the machine of process 4711 on here .* went down/);
    lock.release();
  });
});

Deno.test("which start of the machine this is comes from a file [FR-706]", () => {
  inDirectory((dirPath) => {
    Deno.writeTextFileSync(`${dirPath}/boot_id`, "boot-3\n");
    assert.equal(thisMachine(`${dirPath}/boot_id`).bootId, "boot-3");
  });
});

Deno.test("a lock file that a crash left empty or torn is recovered [FR-706]", () => {
  for (const text of ["", "\0\0\0\0", '{"pid": 47']) {
    inDirectory((dirPath) => {
      leave(dirPath, HERE, text);
      DiffLock.take(dirPath, libc, { machine: HERE }).release();
      assert.equal(readOwner(dirPath)?.pid, Deno.pid);
    });
  }
});

Deno.test("a diff that another machine has not let go of is taken by force only [FR-707]", () => {
  inDirectory((dirPath) => {
    leave(dirPath, { host: "there", bootId: "boot-9" });
    const before = Deno.readTextFileSync(pathsIn(dirPath).lock);
    assert.throws(() => DiffLock.take(dirPath, libc, { machine: HERE }), {
      code: "DiffInUse",
      message: /process 4711 on there/,
    });
    assert.equal(Deno.readTextFileSync(pathsIn(dirPath).lock), before);
    assert.equal(isLocked(dirPath, libc), false);
    const lock = DiffLock.take(dirPath, libc, { machine: HERE, force: true });
    assert.match(lock.recovered ?? "", /by force from process 4711 on there/);
    lock.release();
  });
});

Deno.test("a diff that another machine has let go of is free [FR-707]", () => {
  const owner: Owner = { pid: 1, host: "there", bootId: "b", startedAt: "x", releasedAt: "y" };
  assert.equal(fateOf(owner, HERE), "released");
  assert.equal(fateOf(undefined, HERE), "released");
});

Deno.test("a container is on the machine it runs on, whatever its name [FR-707]", () => {
  const owner: Owner = { pid: 1, host: "container", bootId: HERE.bootId, startedAt: "x" };
  assert.equal(fateOf(owner, HERE), "died");
});

Deno.test("what is no owner is none [FR-707]", () => {
  for (const text of ["", "[]", "null", "5", '{"pid":"1"}', '{"pid":1,"host":"h","bootId":"b"}']) {
    assert.equal(parseOwner(text), undefined, text);
  }
});

Deno.test("a lock file that was removed under its owner does not let two in [FR-705]", () => {
  inDirectory((dirPath) => {
    const lock = DiffLock.take(dirPath, libc, { machine: HERE });
    lock.remove();
    const next = DiffLock.take(dirPath, libc, { machine: HERE });
    assert.equal(isLocked(dirPath, libc), true);
    next.release();
  });
});

Deno.test("a link in place of the lock file is refused [FR-705]", () => {
  inDirectory((dirPath) => {
    Deno.writeTextFileSync(`${dirPath}/other`, "other");
    Deno.symlinkSync(`${dirPath}/other`, pathsIn(dirPath).lock);
    assert.throws(() => DiffLock.take(dirPath, libc), { code: "DiffDamaged" });
    assert.equal(Deno.readTextFileSync(`${dirPath}/other`), "other");
  });
});

Deno.test("why a diff was given up after a death is told once, by who takes it next [FR-772]", async () => {
  const dirPath = Deno.makeTempDirSync({ prefix: "pbkfs-test-" });
  try {
    leave(dirPath, HERE);
    await afterDeath(dirPath, libc, () => {
      assert.equal(isLocked(dirPath, libc), true, "nobody else can have it meanwhile");
      return Promise.resolve("the moon was full");
    });
    assert.equal(isLocked(dirPath, libc), false);
    assert.equal(readOwner(dirPath)?.givenUp, "the moon was full");
    const lock = DiffLock.take(dirPath, libc, { machine: HERE, guardian: 4712 });
    assert.match(lock.recovered ?? "", /process 4711 .* died; the moon was full; what it had/);
    await assert.rejects(afterDeath(dirPath, libc, () => assert.fail("it is in use")), {
      code: "DiffInUse",
    });
    lock.tellMounted();
    const { guardian, mountedAt, givenUp } = readOwner(dirPath) ?? {};
    assert.deepEqual([guardian, givenUp], [4712, undefined]);
    assert.match(mountedAt ?? "", /^20.*Z$/);
    lock.release();
    const next = DiffLock.take(dirPath, libc, { machine: HERE });
    assert.equal(next.recovered, undefined);
    next.release();
  } finally {
    Deno.removeSync(dirPath, { recursive: true });
  }
});
