import assert from "node:assert/strict";
import { ERRNO } from "../../errors.ts";
import type { ByteString } from "../../ffi/bytes.ts";
import { addressOf } from "../../ffi/memory.ts";
import { type Ino, type Request, ROOT_INO } from "../../fuse/mod.ts";
import { pattern } from "../../testing/overlay/fake_base.ts";
import { assertBytes } from "../../testing/overlay/model.ts";
import { BASE } from "../../testing/overlay/steps.ts";
import { World } from "../../testing/overlay/world.ts";
import { MemoryStore } from "../store/memory_store.ts";

const PAGE = 8192;

/** Runs a test in a world of its own, and looks whether descriptors are left. */
function inWorld(
  body: (world: World) => void,
  options: { holdsJobs?: boolean; onCommitDue?: () => void } = {},
): void {
  const dirPath = Deno.makeTempDirSync({ prefix: "pbkfs-test-" });
  const world = new World({ base: BASE, store: new MemoryStore(), dirPath, ...options });
  try {
    body(world);
  } finally {
    world.close();
    Deno.removeSync(dirPath, { recursive: true });
  }
}

function inoOf(world: World, path: string): Ino {
  return world.withNode(path, ({ ino }) => ino);
}

function write(world: World, ino: Ino, offsetBytes = 0, sizeBytes = PAGE, salt = 9): void {
  world.overlay.write(ino, addressOf(pattern(sizeBytes, salt)), { offsetBytes, sizeBytes });
}

function create(world: World, name: string): Ino {
  const node = { mode: 0o100600, rdev: 0, caller: { uid: 0, gid: 0 } };
  const { ino } = world.overlay.makeNode({ parent: ROOT_INO, name: name as ByteString }, node);
  world.overlay.forget(ino, 1);
  return ino;
}

/** The calls since the last time. */
function calls(world: World): string[] {
  return world.disk.calls.splice(0);
}

function sync(world: World, ino: Ino, request: number): void {
  world.overlay.sync(ino, request as Request, { dataOnly: true });
}

Deno.test("a sync replies after bytes, directory and store, in this order [FR-410]", () => {
  inWorld((world) => {
    const ino = inoOf(world, "d/data");
    write(world, ino);
    assert.equal(world.sync(ino), 0);
    assert.deepEqual(calls(world), ["fdatasync 1", "fsync directory", "commit", "reply 1: 0"]);
    write(world, ino, PAGE);
    assert.equal(world.sync(ino), 0);
    assert.deepEqual(calls(world), ["fdatasync 1", "commit", "reply 1: 0"], "no name is new");
  });
});

Deno.test("a deleted file's bytes go when the store has forgotten them [FR-410]", () => {
  inWorld((world) => {
    const ino = create(world, "new");
    write(world, ino);
    world.sync(ino);
    calls(world);
    world.overlay.unlink({ parent: ROOT_INO, name: "new" as ByteString });
    assert.deepEqual(calls(world), []);
    world.overlay.syncDirectory(ROOT_INO, 2 as Request);
    assert.deepEqual(calls(world), ["commit", "reply 2: 0", "unlink 1"]);
  });
});

Deno.test("a whole file whose metadata stay pays one fdatasync [FR-411]", () => {
  inWorld((world) => {
    const ino = create(world, "new");
    write(world, ino);
    world.sync(ino);
    calls(world);
    for (let round = 1; round <= 3; round++) {
      write(world, ino, round * PAGE); // It grows: the file system below keeps its length.
      assert.equal(world.sync(ino, true), 0);
      assert.deepEqual(calls(world), ["fdatasync 1", "reply 1: 0"]);
    }
  });
});

Deno.test("a sync with nothing to do replies at once [FR-411]", () => {
  inWorld((world) => {
    const ino = inoOf(world, "d/data");
    assert.equal(world.overlay.sync(ino, 1 as Request, { dataOnly: false }), "done");
    assert.deepEqual(calls(world), []);
  });
});

Deno.test("a file that could not be synced fails once, and then has its old pages [FR-412]", () => {
  inWorld((world) => {
    const ino = inoOf(world, "d/data");
    const before = world.read(ino);
    write(world, ino);
    world.disk.fault = { call: "fdatasync", errno: ERRNO.EIO };
    assert.equal(world.sync(ino), ERRNO.EIO);
    world.overlay.doDeferred();
    assert.deepEqual(world.store.load().pages, [], "the store does not point at lost bytes");
    assertBytes(world.read(ino), before);
    assert.equal(world.sync(ino), 0, "it was told");
    assert.deepEqual(world.store.load().pages, []);
    world.overlay.flush();
    write(world, ino);
    assert.equal(world.sync(ino), 0);
    assert.equal(world.store.load().pages.length, 1);
  });
});

Deno.test("each process that was there hears once of a sync that failed [FR-461]", () => {
  inWorld((world) => {
    const ino = inoOf(world, "d/data");
    write(world, ino);
    world.disk.fault = { call: "fdatasync", errno: ERRNO.EIO };
    assert.equal(world.sync(ino, true, 1), ERRNO.EIO);
    const later = [3, 1, 3, 5, 2, 5, 4].map((pid) => world.sync(ino, true, pid));
    assert.deepEqual(later, [ERRNO.EIO, 0, 0, ERRNO.EIO, 0, 0, 0]);
    write(world, ino);
    world.disk.fault = { call: "fdatasync", errno: ERRNO.ENOSPC };
    assert.equal(world.sync(ino, true, 3), ERRNO.ENOSPC);
    assert.equal(world.sync(ino, true, 1), ERRNO.ENOSPC, "of the next failure again");
    assert.equal(world.sync(ino, true, 1), 0);
  });
});

Deno.test("if nobody has heard of a failure, whoever comes first does, and so does the end [FR-461]", () => {
  inWorld((world) => {
    const ino = inoOf(world, "d/data");
    write(world, ino);
    world.disk.fault = { call: "fdatasync", errno: ERRNO.EIO };
    world.overlay.doDeferred();
    assert.throws(() => world.overlay.flush(), { errno: ERRNO.EIO });
    assert.equal(world.sync(ino, true, 2), ERRNO.EIO, "though it came later");
    assert.equal(world.sync(ino, true, 4), 0);
    world.overlay.flush();
  });
});

Deno.test("what is written after a failure was told is not dropped with what failed [FR-461]", () => {
  inWorld((world) => {
    const ino = inoOf(world, "d/data");
    write(world, ino);
    sync(world, ino, 7);
    world.disk.fault = { call: "fdatasync", errno: ERRNO.EIO };
    world.committer.run();
    // The process has its answer, and goes on, before anybody has looked at the outcome.
    write(world, ino, 2 * PAGE);
    sync(world, ino, 8);
    world.committer.run();
    assert.deepEqual(calls(world).at(-1), "reply 8: 0");
    world.restart();
    world.withNode("d/data", ({ ino }) => {
      assertBytes(world.read(ino).subarray(0, PAGE), pattern(5 * PAGE, 3).subarray(0, PAGE));
      assertBytes(world.read(ino).subarray(2 * PAGE, 3 * PAGE), pattern(PAGE, 9));
    });
  }, { holdsJobs: true });
});

Deno.test("pages that were in the store stay when a later sync fails, cut ones stay away [FR-461]", () => {
  inWorld((world) => {
    const ino = inoOf(world, "d/data");
    write(world, ino, 0, 2 * PAGE);
    assert.equal(world.sync(ino), 0);
    write(world, ino, 3 * PAGE);
    world.overlay.setAttributes(ino, { sizeBytes: PAGE });
    world.overlay.setAttributes(ino, { sizeBytes: 5 * PAGE });
    world.disk.fault = { call: "fdatasync", errno: ERRNO.EIO };
    assert.equal(world.sync(ino), ERRNO.EIO);
    for (let round = 0; round < 2; round++) {
      const bytes = world.withNode("d/data", ({ ino }) => world.read(ino));
      assertBytes(bytes.subarray(0, PAGE), pattern(2 * PAGE, 9).subarray(0, PAGE));
      assertBytes(bytes.subarray(PAGE), new Uint8Array(4 * PAGE));
      assert.equal(world.sync(ino), 0);
      world.restart(() => false);
    }
  });
});

Deno.test("a file that was copied up has its old bytes when that could not be synced [FR-461]", () => {
  inWorld((world) => {
    const ino = inoOf(world, "conf");
    write(world, ino, 10, 20);
    world.disk.fault = { call: "fdatasync", errno: ERRNO.EIO };
    assert.equal(world.sync(ino), ERRNO.EIO);
    assert.equal(world.sync(ino), 0);
    assertBytes(world.read(ino), pattern(100, 2));
    write(world, ino, 90, 20);
    assert.equal(world.sync(ino), 0);
    world.restart(() => false);
    const bytes = world.withNode("conf", ({ ino }) => world.read(ino));
    assertBytes(bytes.subarray(0, 90), pattern(100, 2).subarray(0, 90));
    assertBytes(bytes.subarray(90), pattern(20, 9));
  });
});

Deno.test("a file whose copy could neither be synced nor made again is as the base has it [FR-461]", () => {
  inWorld((world) => {
    const ino = inoOf(world, "conf");
    write(world, ino, 10, 20);
    world.disk.fault = { call: "fdatasync", errno: ERRNO.EIO };
    assert.equal(world.sync(ino), ERRNO.EIO);
    world.disk.fault = { call: "pwrite", errno: ERRNO.EIO };
    assert.equal(world.sync(ino), 0);
    assert(!world.disk.isArmed, "the copy was to be made again");
    assertBytes(world.read(ino), pattern(100, 2));
    world.overlay.flush();
    assert.deepEqual(world.store.load().contents, []);
    write(world, ino, 90, 20);
    assert.equal(world.sync(ino), 0);
    world.restart(() => false);
    const bytes = world.withNode("conf", ({ ino }) => world.read(ino));
    assertBytes(bytes.subarray(0, 90), pattern(100, 2).subarray(0, 90));
    assertBytes(bytes.subarray(90), pattern(20, 9));
  });
});

Deno.test("of files synced together, only those fail that could not be synced [FR-412]", () => {
  inWorld((world) => {
    const inos = ["d/data", "d/odd", "d/s/data"].map((path) => inoOf(world, path));
    for (const ino of inos) write(world, ino);
    world.disk.fault = { call: "fdatasync", errno: ERRNO.EIO, after: 1 };
    world.overlay.doDeferred();
    assert.deepEqual(inos.map((ino) => world.sync(ino)), [0, ERRNO.EIO, 0]);
    const committed = new Set(world.store.load().pages.map(({ ino }) => ino));
    assert.deepEqual(committed, new Set([inos[0], inos[2]]));
  });
});

Deno.test("a sync that was asked for before the failure was known fails as well [FR-412]", () => {
  inWorld((world) => {
    const ino = inoOf(world, "d/data");
    write(world, ino);
    world.overlay.doDeferred();
    sync(world, ino, 7); // Its bytes are in the job under way.
    write(world, ino, PAGE);
    sync(world, ino, 8); // It has bytes of its own, which could be synced.
    world.disk.fault = { call: "fdatasync", errno: ERRNO.EIO };
    world.committer.run(1);
    world.committer.run();
    const replies = calls(world).filter((call) => call.startsWith("reply"));
    assert.deepEqual(replies, [`reply 7: ${ERRNO.EIO}`, `reply 8: ${ERRNO.EIO}`]);
    assert.deepEqual(world.store.load().pages, []);
    write(world, ino);
    sync(world, ino, 10);
    world.committer.run();
    assert.deepEqual(calls(world).at(-1), "reply 10: 0");
  }, { holdsJobs: true });
});

Deno.test("when the store fails nothing is lost, and the next sync commits it [FR-413]", () => {
  inWorld((world) => {
    const ino = create(world, "new");
    write(world, ino);
    const data = inoOf(world, "d/data");
    write(world, data);
    world.store.failErrno = ERRNO.ENOSPC;
    assert.equal(world.sync(data), ERRNO.ENOSPC);
    assert.deepEqual(world.store.load().names, []);
    calls(world);
    assert.equal(world.sync(data), 0);
    assert.deepEqual(calls(world), ["fsync directory", "commit", "reply 1: 0"]);
    const state = world.store.load();
    assert.deepEqual(state.names.map(({ name }) => name), ["new"]);
    assert.deepEqual(state.contents.map((record) => record.ino).sort(), [data, ino].sort());
  });
});

Deno.test("if the directory cannot be synced nothing is committed, and it is synced again [FR-413]", () => {
  inWorld((world) => {
    const ino = create(world, "new");
    world.disk.fault = { call: "fsync", errno: ERRNO.EIO };
    assert.equal(world.sync(ino), ERRNO.EIO);
    assert.deepEqual(calls(world), ["fsync directory", `reply 1: ${ERRNO.EIO}`]);
    assert.equal(world.store.load().names.length, 0);
    assert.equal(world.sync(ino), 0);
    assert.deepEqual(calls(world), ["fsync directory", "commit", "reply 1: 0"]);
  });
});

Deno.test("jobs that build on a failed commit fail too, and all of them are done again [FR-413]", () => {
  inWorld((world) => {
    create(world, "first");
    world.overlay.syncDirectory(ROOT_INO, 1 as Request);
    create(world, "second");
    world.overlay.syncDirectory(ROOT_INO, 2 as Request);
    world.store.failErrno = ERRNO.ENOSPC;
    world.committer.run(1);
    world.committer.run(1);
    assert.deepEqual(calls(world).filter((call) => call.startsWith("reply")), [
      `reply 1: ${ERRNO.ENOSPC}`,
      `reply 2: ${ERRNO.ENOSPC}`,
    ]);
    assert.deepEqual(world.store.load().names, []);
    world.overlay.syncDirectory(ROOT_INO, 3 as Request);
    world.committer.run();
    assert.equal(calls(world).at(-1), "reply 3: 0");
    assert.deepEqual(world.store.load().names.map(({ name }) => name).sort(), ["first", "second"]);
  }, { holdsJobs: true });
});

Deno.test("a job that cannot be submitted fails its sync, and the next one does all of it [FR-413]", () => {
  inWorld((world) => {
    const ino = create(world, "new");
    write(world, ino);
    world.committer.refuses = true;
    assert.throws(() => sync(world, ino, 1), /too large, on purpose/);
    assert.deepEqual(calls(world), []);
    sync(world, ino, 2);
    world.committer.run();
    assert.deepEqual(calls(world), ["fdatasync 1", "fsync directory", "commit", "reply 2: 0"]);
    assert.deepEqual(world.store.load().names.map(({ name }) => name), ["new"]);
    world.overlay.flush();
  }, { holdsJobs: true });
});

Deno.test("jobs that wait at the same time cost one commit [FR-413]", () => {
  inWorld((world) => {
    for (let n = 0; n < 5; n++) {
      create(world, `file ${n}`);
      world.overlay.syncDirectory(ROOT_INO, (n + 1) as Request);
    }
    world.committer.run();
    assert.equal(calls(world).filter((call) => call === "commit").length, 1);
    assert.equal(world.store.load().names.length, 5);
  }, { holdsJobs: true });
});

Deno.test("what nobody syncs is committed after five seconds [FR-414]", () => {
  inWorld((world) => {
    assert.equal(world.overlay.deferredMs(), undefined);
    create(world, "new");
    write(world, inoOf(world, "d/data"));
    assert.equal(world.overlay.deferredMs(), 5000);
    world.clockMs += 4000;
    create(world, "newer");
    assert.equal(world.overlay.deferredMs(), 1000, "since the oldest change");
    world.clockMs += 2000;
    assert.equal(world.overlay.deferredMs(), 0);
    world.overlay.doDeferred();
    assert.equal(world.store.load().names.length, 2);
    assert.equal(world.store.load().pages.length, 1);
    world.clockMs += 1000;
    world.overlay.doDeferred();
    assert.equal(world.overlay.deferredMs(), undefined, "nothing is left to do");
  });
});

Deno.test("after five seconds a commit is left to who was told, and after ten it is made [FR-1015]", () => {
  let told = 0;
  inWorld((world) => {
    const committed = () => world.store.load().names.length;
    create(world, "new");
    assert.equal(world.overlay.deferredMs(), 5000);
    world.clockMs += 5000;
    assert.equal(world.overlay.deferredMs(), 0);
    world.overlay.doDeferred();
    world.overlay.doDeferred();
    assert.deepEqual([told, committed(), world.overlay.deferredMs()], [1, 0, 5000]);
    world.clockMs += 1000;
    world.overlay.commit();
    assert.deepEqual([told, committed()], [1, 1]);
    world.clockMs += 1000;
    world.overlay.doDeferred();
    assert.equal(world.overlay.deferredMs(), undefined, "nothing is left to do");
    create(world, "newer");
    world.clockMs += 5000;
    world.overlay.doDeferred();
    world.clockMs += 5000;
    assert.equal(world.overlay.deferredMs(), 0);
    world.overlay.doDeferred();
    assert.deepEqual([told, committed()], [2, 2], "nobody came");
  }, { onCommitDue: () => told++ });
});

Deno.test("a commit that is urgent waits for nobody [FR-1015]", () => {
  let told = 0;
  inWorld((world) => {
    create(world, "new");
    world.clockMs += 5000;
    world.overlay.doDeferred();
    const ino = inoOf(world, "d/data");
    write(world, ino);
    assert.equal(world.sync(ino), 0);
    assert.equal(world.store.load().names.length, 1, "a sync takes the names with it");
    for (let file = 0; file < 1000; file++) create(world, `file ${file}`);
    world.clockMs += world.overlay.deferredMs() ?? Infinity;
    world.overlay.doDeferred();
    assert.deepEqual([told, world.store.load().names.length], [1, 1001]);
  }, { onCommitDue: () => told++ });
});

Deno.test("who makes a commit hears that the one before has failed [FR-1015]", () => {
  inWorld((world) => {
    create(world, "new");
    world.store.failErrno = ERRNO.ENOSPC;
    world.overlay.commit();
    assert.throws(() => world.overlay.commit(), { errno: ERRNO.ENOSPC });
    world.overlay.commit();
    assert.equal(world.store.load().names.length, 1, "it was handed over once more");
  }, { onCommitDue: () => {} });
});

Deno.test("many names are committed sooner, without what would have to be synced first [FR-475]", () => {
  inWorld((world) => {
    write(world, inoOf(world, "d/data"));
    for (let file = 0; file < 999; file++) create(world, `file ${file}`);
    assert.equal(world.overlay.deferredMs(), 5000);
    create(world, "one more");
    assert.equal(world.overlay.deferredMs(), 100);
    world.clockMs += 100;
    assert.equal(world.overlay.deferredMs(), 0);
    world.overlay.doDeferred();
    assert.equal(world.store.load().names.length, 1000);
    assert.equal(world.store.load().pages.length, 0);
    assert.equal(world.overlay.deferredMs(), 4900, "the rest as ever");
    world.clockMs += 4900;
    world.overlay.doDeferred();
    assert.equal(world.store.load().pages.length, 1);
  });
});

Deno.test("a store that fails is not asked at every turn for many names [FR-475]", () => {
  inWorld((world) => {
    for (let file = 0; file < 1000; file++) create(world, `file ${file}`);
    for (let round = 0; world.store.load().names.length === 0; round++) {
      assert(round < 6, "it comes to an end");
      const due = world.overlay.deferredMs() as number;
      assert(due >= 100, `asked again after ${due} ms`);
      world.clockMs += due;
      if (round < 3) world.store.failErrno = ERRNO.EIO;
      world.overlay.doDeferred();
    }
    assert.equal(world.store.load().names.length, 1000);
  });
});

Deno.test("a commit in the background that fails is tried again, though nobody asks [FR-414]", () => {
  inWorld((world) => {
    create(world, "new");
    world.clockMs += 5000;
    world.store.failErrno = ERRNO.ENOSPC;
    world.overlay.doDeferred();
    for (let round = 0; world.overlay.deferredMs() !== undefined; round++) {
      assert(round < 5, "it comes to an end");
      world.clockMs += world.overlay.deferredMs() ?? 0;
      world.overlay.doDeferred();
    }
    assert.equal(world.store.load().names.length, 1);
  });
});

Deno.test("times that changed alone do not make a sync of data commit [FR-414]", () => {
  inWorld((world) => {
    const ino = create(world, "new");
    world.sync(ino);
    calls(world);
    world.overlay.setAttributes(ino, { modified: { seconds: 77, nanoseconds: 5 } });
    world.sync(ino, true);
    assert.deepEqual(calls(world), []);
    world.sync(ino);
    assert.deepEqual(calls(world), ["commit", "reply 1: 0"]);
    assert.equal(world.store.load().inodes.find((i) => i.ino === ino)?.modified.seconds, 77);
  });
});

Deno.test("a sync for which a descriptor is missing takes nothing, and can be repeated [FR-415]", () => {
  inWorld((world) => {
    const inos = ["d/data", "d/odd"].map((path) => inoOf(world, path));
    for (const ino of inos) write(world, ino);
    create(world, "new");
    const open = world.disk.openFiles;
    world.disk.fault = { call: "dup", errno: ERRNO.ENOMEM, after: 1 };
    assert.throws(() => world.overlay.doDeferred(), { errno: ERRNO.ENOMEM });
    assert.equal(world.disk.openFiles, open, "no descriptor is left");
    assert.notEqual(world.overlay.deferredMs(), undefined, "it will be tried again");
    world.overlay.doDeferred();
    assert.equal(world.store.load().pages.length, 2);
    assert.equal(world.store.load().names.length, 1);
  });
});

Deno.test("a sync for which there are too many descriptors waits for those before it [FR-415]", () => {
  inWorld((world) => {
    write(world, inoOf(world, "d/data"));
    world.disk.fault = { call: "dup", errno: ERRNO.EMFILE };
    world.overlay.doDeferred();
    assert(!world.disk.isArmed);
    assert.equal(world.store.load().pages.length, 1);
  });
});

Deno.test("however many files wait to be synced, few descriptors are held [FR-415]", () => {
  inWorld((world) => {
    for (let n = 0; n < 700; n++) write(world, create(world, `file ${n}`), 0, 10);
    const before = world.disk.openFiles;
    world.disk.openFilesMax = 0;
    world.overlay.flush();
    assert(world.disk.openFilesMax < before + 320, `${world.disk.openFilesMax}, from ${before}`);
    const calls = world.disk.calls.filter((call) => call.startsWith("fdatasync"));
    assert.equal(new Set(calls).size, 700);
  }, { holdsJobs: true });
});

Deno.test("bytes that were cut stay until the store knows of the cut [FR-416]", () => {
  inWorld((world) => {
    const ino = inoOf(world, "d/data");
    write(world, ino, 0, 5 * PAGE);
    sync(world, ino, 1);
    world.committer.run();
    write(world, ino, 5 * PAGE);
    sync(world, ino, 2);
    world.overlay.setAttributes(ino, { sizeBytes: PAGE });
    sync(world, ino, 3);
    world.committer.run(1); // The cut is in the job that comes next.
    world.overlay.syncDirectory(ROOT_INO, 4 as Request); // Learns of the first.
    world.restart(() => true);
    const bytes = world.withNode("d/data", ({ ino }) => world.read(ino));
    assertBytes(bytes.subarray(0, 5 * PAGE), pattern(5 * PAGE, 9));
    assertBytes(bytes.subarray(5 * PAGE), pattern(PAGE, 9));
  }, { holdsJobs: true });
});

Deno.test("bytes of a second cut, which nobody has committed, stay as well [FR-416]", () => {
  inWorld((world) => {
    const ino = inoOf(world, "d/data");
    write(world, ino, 0, 5 * PAGE);
    sync(world, ino, 1);
    world.committer.run();
    world.overlay.setAttributes(ino, { sizeBytes: 3 * PAGE });
    sync(world, ino, 2);
    world.overlay.setAttributes(ino, { sizeBytes: PAGE });
    world.committer.run();
    world.overlay.syncDirectory(ROOT_INO, 3 as Request); // Learns that the first is committed.
    world.restart(() => true);
    const bytes = world.withNode("d/data", ({ ino }) => world.read(ino));
    assertBytes(bytes, pattern(5 * PAGE, 9).subarray(0, 3 * PAGE));
  }, { holdsJobs: true });
});

Deno.test("the space of bytes that were cut is given back [FR-416]", () => {
  inWorld((world) => {
    const ino = inoOf(world, "d/data");
    write(world, ino, 0, 5 * PAGE);
    world.sync(ino);
    world.overlay.setAttributes(ino, { sizeBytes: PAGE });
    world.sync(ino);
    world.overlay.doDeferred();
    assert.equal(world.dataSizeBytes(1), PAGE);
  });
});

Deno.test("after a crash, a sync also covers what the process before had written [FR-417]", () => {
  inWorld((world) => {
    const ino = create(world, "new");
    write(world, ino, 0, PAGE, 1);
    world.sync(ino);
    write(world, ino, 0, PAGE, 2);
    world.restart();
    calls(world);
    world.withNode("new", ({ ino }) => assert.equal(world.sync(ino), 0));
    assert.deepEqual(calls(world), ["fdatasync 1", "reply 1: 0"]);
    world.withNode("new", ({ ino }) => world.sync(ino));
    assert.deepEqual(calls(world), [], "once is enough");
  });
});

/** Files of a page each, which nobody has synced. */
function manyFiles(world: World): Ino[] {
  return Array.from({ length: 1000 }, (_, n) => {
    const ino = create(world, `file ${n}`);
    write(world, ino, 0, 10);
    return ino;
  });
}

Deno.test("a flush of very many files syncs the file system once, not each of them [FR-885]", () => {
  inWorld((world) => {
    manyFiles(world);
    write(world, inoOf(world, "d/data"));
    calls(world);
    world.overlay.flush();
    assert.deepEqual(calls(world).filter((call) => call.includes("data")), []);
    assert.equal(world.store.load().names.length, 1000);
    assert.equal(world.store.load().pages.length, 1);
    world.disk.cutPower(() => false);
    assert.equal(world.dataSizeBytes(1000), 10, "it is on disk");
    world.overlay.syncAll();
    assert.deepEqual(calls(world), [], "once is enough");
  });
});

Deno.test("if the file system cannot be synced as a whole, each file is [FR-885]", () => {
  inWorld((world) => {
    manyFiles(world);
    calls(world);
    world.disk.fault = { call: "syncFileSystem", errno: ERRNO.EIO };
    world.overlay.flush();
    assert.equal(calls(world).filter((call) => call.startsWith("fdatasync")).length, 1000);
  });
});

Deno.test("a file of very many whose bytes did not reach the disk fails the flush [FR-885]", () => {
  inWorld((world) => {
    manyFiles(world);
    const ino = inoOf(world, "d/data");
    const before = world.read(ino);
    write(world, ino);
    world.disk.fault = { call: "writeError", errno: ERRNO.EIO, after: 1000 };
    assert.throws(() => world.overlay.flush(), { errno: ERRNO.EIO });
    assertBytes(world.read(ino), before);
    assert.equal(world.sync(ino), ERRNO.EIO, "who asks is told");
    assert.equal(world.sync(ino), 0, "once");
    world.overlay.flush();
  });
});

Deno.test("files that a mount finds in the diff are synced together as well [FR-885]", () => {
  inWorld((world) => {
    manyFiles(world);
    world.overlay.syncDirectory(ROOT_INO, 2 as Request);
    world.restart(); // Nobody has synced their bytes.
    const ino = inoOf(world, "file 7");
    calls(world);
    world.overlay.syncAll();
    assert.deepEqual(calls(world), ["sync all"]);
    world.disk.cutPower(() => false);
    for (const id of [1, 7, 1000]) assert.equal(world.dataSizeBytes(id), 10);
    assert.equal(world.read(ino).length, 10);
    world.overlay.syncAll();
    assert.deepEqual(calls(world), [], "once is enough");
    world.restart();
    world.disk.fault = { call: "writeError", errno: ERRNO.EIO, after: 500 };
    assert.throws(() => world.overlay.flush(), { errno: ERRNO.EIO });
  });
});

Deno.test("lengths that a crash left untold are told at the unmount, though nobody asked for the files [FR-869]", () => {
  inWorld((world) => {
    const inos = Array.from({ length: 3 }, (_, n) => create(world, `f${n}`));
    for (const ino of inos) assert.equal(world.sync(ino), 0);
    for (const ino of inos) write(world, ino, 0, 100);
    world.restart();
    const before = world.store.load();
    assert.deepEqual(before.contents.map(({ lengthBytes }) => lengthBytes), [0, 0, 0]);
    world.remount();
    const { isClean, contents } = world.store.load();
    assert.equal(isClean, false, "it is mounted again");
    assert.deepEqual(contents.map(({ lengthBytes }) => lengthBytes), [100, 100, 100]);
    world.remount();
    for (const name of ["f0", "f1", "f2"]) {
      assert.equal(world.read(inoOf(world, name)).length, 100);
    }
  });
});
