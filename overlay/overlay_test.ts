import assert from "node:assert/strict";
import type { EntryIndex } from "../backup/mod.ts";
import { ERRNO } from "../errors.ts";
import type { ByteString } from "../ffi/bytes.ts";
import { addressOf } from "../ffi/memory.ts";
import { type Ino, RENAME, type Request, ROOT_INO, type Timestamp } from "../fuse/mod.ts";
import { pattern } from "../testing/overlay/fake_base.ts";
import { assertBytes } from "../testing/overlay/model.ts";
import { BASE } from "../testing/overlay/steps.ts";
import { World } from "../testing/overlay/world.ts";
import { MemoryStore } from "./store/memory_store.ts";

function inWorld(body: (world: World) => void): void {
  const dirPath = Deno.makeTempDirSync({ prefix: "pbkfs-test-" });
  const world = new World({ base: BASE, store: new MemoryStore(), dirPath });
  try {
    body(world);
  } finally {
    world.close();
    Deno.removeSync(dirPath, { recursive: true });
  }
}

const NODE = { mode: 0o100600, rdev: 0, caller: { uid: 0, gid: 0 } };
const name = (text: string) => text as ByteString;
const inRoot = (text: string) => ({ parent: ROOT_INO, name: name(text) });

function namesIn(world: World, path: string): string[] {
  return world.withNode(path, ({ ino }) => [...world.overlay.list(ino, 0)])
    .map((entry) => entry.name as string).sort();
}

function linksOf(world: World, ...paths: string[]): number[] {
  return paths.map((path) => world.withNode(path, ({ links }) => links));
}

Deno.test("a directory is listed though the size of one of its files cannot be told [FR-409]", () => {
  inWorld((world) => {
    world.base.damaged.add("d/odd");
    assert.deepEqual(namesIn(world, "d"), [".", "..", "data", "gaps", "odd", "s"]);
    const { ino } = world.withNode("d", (directory) => directory);
    assert.throws(() => world.overlay.lookup({ parent: ino, name: name("odd") }));
    assert.notEqual(world.overlay.lookup({ parent: ino, name: name("data") }), undefined);
  });
});

Deno.test("listing reads nothing of the files listed [FR-409]", () => {
  inWorld((world) => {
    namesIn(world, "d");
    assert.deepEqual(world.base.reads, []);
  });
});

Deno.test("an unlisted directory of the base is found by its name, and does all that others do [FR-177]", () => {
  inWorld((world) => {
    const { base } = world;
    const paths = Array.from({ length: base.count }, (_, at) => base.entry(at as EntryIndex).path);
    const others = namesIn(world, "").filter((text) => text !== "d");
    base.unlisted = paths.indexOf(name("d")) as EntryIndex;
    world.restart();
    assert.deepEqual(namesIn(world, ""), others);
    assert.deepEqual(
      namesIn(world, "d"),
      [".", "..", "data", "gaps", "odd", "s"],
      "what is in it is",
    );
    const { ino } = world.withNode("d", (found) => found);
    world.overlay.makeNode({ parent: ino, name: name("new") }, NODE);
    world.overlay.setAttributes(ino, { mode: 0o750 });
    world.overlay.flush();
    world.restart();
    assert.deepEqual(namesIn(world, ""), others, "a change in it does not bring it out");
    assert.deepEqual(namesIn(world, "d"), [".", "..", "data", "gaps", "new", "odd", "s"]);
  });
});

Deno.test("under another name, or made anew, a directory is listed [FR-177]", () => {
  inWorld((world) => {
    const { base } = world;
    const paths = Array.from({ length: base.count }, (_, at) => base.entry(at as EntryIndex).path);
    base.unlisted = paths.indexOf(name("d")) as EntryIndex;
    world.restart();
    const others = namesIn(world, "");
    world.overlay.rename(inRoot("d"), inRoot("away"), 0);
    assert.deepEqual(namesIn(world, ""), [...others, "away"].sort());
    world.overlay.makeDirectory(inRoot("d"), { ...NODE, mode: 0o700 });
    world.overlay.flush();
    world.restart();
    assert.deepEqual(namesIn(world, ""), [...others, "away", "d"].sort());
  });
});

Deno.test("exchanged directories take their links along, also over a remount [FR-421]", () => {
  inWorld((world) => {
    const { overlay } = world;
    overlay.makeDirectory(inRoot("n"), { ...NODE, mode: 0o700 });
    const n = world.withNode("n", ({ ino }) => ino);
    const d = world.withNode("d", ({ ino }) => ino);
    overlay.makeNode({ parent: n, name: name("file") }, NODE);
    const file = { parent: n, name: name("file") };
    overlay.rename({ parent: d, name: name("s") }, file, RENAME.exchange);
    assert.deepEqual(linksOf(world, "", "d", "n"), [4, 2, 3]);
    world.overlay.flush();
    world.restart();
    assert.deepEqual(linksOf(world, "", "d", "n"), [4, 2, 3]);
    assert.deepEqual(namesIn(world, "n/file"), [".", "..", "data", "void"]);
    assert.deepEqual(namesIn(world, "d"), [".", "..", "data", "gaps", "odd", "s"]);
  });
});

Deno.test("a directory that was removed with its whiteouts stays away after a remount [FR-421]", () => {
  inWorld((world) => {
    const { overlay } = world;
    const d = world.withNode("d", ({ ino }) => ino);
    const s = world.withNode("d/s", ({ ino }) => ino);
    for (const text of ["data", "void"]) overlay.unlink({ parent: s, name: name(text) });
    overlay.syncDirectory(s, 1 as Request);
    overlay.removeDirectory({ parent: d, name: name("s") });
    overlay.makeDirectory({ parent: d, name: name("s") }, { ...NODE, mode: 0o700 });
    const made = world.withNode("d/s", ({ ino }) => ino);
    overlay.makeNode({ parent: made, name: name("data") }, NODE);
    overlay.unlink({ parent: made, name: name("data") });
    overlay.syncDirectory(d, 2 as Request);
    world.restart();
    assert.deepEqual(namesIn(world, "d/s"), [".", ".."]);
    assert.notEqual(made, s, "it is another directory");
  });
});

Deno.test("a file of the base that was deleted, and let go of, does not come back [FR-422]", () => {
  inWorld((world) => {
    const { overlay } = world;
    const d = world.withNode("d", ({ ino }) => ino);
    const held = overlay.lookup({ parent: d, name: name("data") })!;
    overlay.unlink({ parent: d, name: name("data") });
    assert.equal(overlay.getAttributes(held.ino).links, 0);
    overlay.forget(held.ino, 1);
    assert.throws(() => overlay.getAttributes(held.ino), { errno: ERRNO.ESTALE });
    assert.equal(overlay.lookup({ parent: d, name: name("data") }), undefined);
    overlay.flush();
    world.restart();
    assert.equal(world.overlay.lookup({ parent: d, name: name("data") }), undefined);
    assert.deepEqual(namesIn(world, "d"), [".", "..", "gaps", "odd", "s"]);
  });
});

Deno.test("a file stays while somebody holds it, as often as it was given out [FR-422]", () => {
  inWorld((world) => {
    const { overlay } = world;
    const { ino } = overlay.makeNode(inRoot("f"), NODE); // One.
    overlay.remember(ino); // Two, by a listing.
    overlay.remember(ino); // Three, by the same entry in another listing.
    assert.notEqual(overlay.lookup(inRoot("f")), undefined); // Four.
    overlay.unlink(inRoot("f"));
    const bytes = pattern(100, 1);
    overlay.forget(ino, 3);
    overlay.write(ino, addressOf(bytes), { offsetBytes: 0, sizeBytes: 100 });
    assert.equal(world.sync(ino), 0);
    assertBytes(world.read(ino), bytes);
    overlay.setAttributes(ino, { sizeBytes: 10, mode: 0o600 });
    overlay.setExtendedAttribute(ino, { name: name("user.a"), value: bytes }, 0);
    assert.equal(world.sync(ino), 0);
    overlay.forget(ino, 1);
    assert.throws(() => overlay.getAttributes(ino), { errno: ERRNO.ESTALE });
    overlay.flush();
    const state = world.store.load();
    assert.deepEqual([state.contents, state.inodes.filter((i) => i.ino === ino)], [[], []]);
    assert.deepEqual(state.extendedAttributes, []);
    assert.throws(() => world.dataSizeBytes(1), Deno.errors.NotFound, "its bytes are gone");
  });
});

Deno.test("a file of the base that is unlinked while open can still be changed [FR-422]", () => {
  inWorld((world) => {
    const { overlay } = world;
    const d = world.withNode("d", ({ ino }) => ino);
    const { ino } = overlay.lookup({ parent: d, name: name("data") }) as { ino: Ino };
    overlay.unlink({ parent: d, name: name("data") });
    overlay.write(ino, addressOf(pattern(10, 9)), { offsetBytes: 8190, sizeBytes: 10 });
    assertBytes(world.read(ino).subarray(8190, 8200), pattern(10, 9));
    assert.equal(world.sync(ino), 0);
    overlay.doDeferred();
    assert.deepEqual(world.store.load().contents, [], "nobody will look for it again");
    overlay.forget(ino, 1);
    overlay.doDeferred();
    world.restart();
    assert.deepEqual(namesIn(world, "d"), [".", "..", "gaps", "odd", "s"]);
  });
});

Deno.test("names that are too long are refused, wherever they are given [FR-423]", () => {
  inWorld(({ overlay }) => {
    const long = inRoot("n".repeat(256));
    const refused = { errno: ERRNO.ENAMETOOLONG };
    assert.throws(() => overlay.lookup(long), refused);
    assert.throws(() => overlay.makeNode(long, NODE), refused);
    assert.throws(() => overlay.makeDirectory(long, NODE), refused);
    assert.throws(() => overlay.makeSymlink(long, name("x"), NODE.caller), refused);
    assert.throws(() => overlay.rename(inRoot("conf"), long, 0), refused);
  });
});

Deno.test("nothing can be made in a directory that is removed while somebody is in it [FR-423]", () => {
  inWorld(({ overlay }) => {
    const { ino } = overlay.makeDirectory(inRoot("n"), { ...NODE, mode: 0o700 });
    overlay.removeDirectory(inRoot("n"));
    const place = { parent: ino, name: name("f") };
    const refused = { errno: ERRNO.ENOENT };
    assert.throws(() => overlay.makeNode(place, NODE), refused);
    assert.throws(() => overlay.makeDirectory(place, NODE), refused);
    assert.throws(() => overlay.rename(inRoot("conf"), place, 0), refused);
    assert.equal(overlay.getAttributes(ino).links, 0);
  });
});

Deno.test("a mount after a clean one goes on with the numbers, and reuses none [FR-424]", () => {
  inWorld((world) => {
    const { ino } = world.overlay.makeNode(inRoot("f"), NODE);
    world.overlay.unlink(inRoot("f"));
    world.overlay.flush();
    world.restart();
    assert(world.overlay.makeNode(inRoot("g"), NODE).ino > ino);
  });
});

Deno.test("times are those of the clock that the kernel stamps files with [FR-425]", () => {
  inWorld(({ overlay, disk }) => {
    for (let round = 0; round < 100; round++) {
      const before = disk.libc.clock();
      const { changed } = overlay.setAttributes(ROOT_INO, { mode: 0o700 });
      const after = disk.libc.clock();
      const text = ({ seconds, nanoseconds }: Timestamp) =>
        `${seconds}.${`${nanoseconds}`.padStart(9, "0")}`;
      assert(text(before) <= text(changed) && text(changed) <= text(after));
    }
    assert(Math.abs(disk.libc.clock().seconds - Date.now() / 1000) < 2);
  });
});

Deno.test("on a full disk, a write waits for the space of what was deleted before it [FR-426]", () => {
  inWorld((world) => {
    const { overlay } = world;
    const bytes = pattern(8192, 7);
    const range = { offsetBytes: 0, sizeBytes: bytes.length };
    const { ino: old } = overlay.makeNode(inRoot("old"), NODE);
    overlay.write(old, addressOf(bytes), range);
    const { ino } = overlay.makeNode(inRoot("new"), NODE);
    overlay.unlink(inRoot("old"));
    overlay.forget(old, 1);
    world.disk.fault = { call: "pwrite", errno: ERRNO.ENOSPC };
    overlay.write(ino, addressOf(bytes), range);
    assertBytes(world.read(ino), bytes, "the file");
    assert.throws(() => world.dataSizeBytes(1), Deno.errors.NotFound, "it was deleted");
    world.disk.fault = { call: "pwrite", errno: ERRNO.ENOSPC };
    const again = () => overlay.write(ino, addressOf(bytes), range);
    assert.throws(again, { errno: ERRNO.ENOSPC }, "with nothing to delete, a full disk is full");
  });
});

Deno.test("a power cut that loses a data file's length tears nothing before it [FR-418]", () => {
  const write = (world: World, bytes: Uint8Array<ArrayBuffer>, offsetBytes: number) =>
    world.withNode("d/odd", ({ ino }) => {
      world.overlay.write(ino, addressOf(bytes), { offsetBytes, sizeBytes: bytes.length });
      return ino;
    });
  inWorld((world) => {
    const before = pattern(4097, 2);
    const ino = write(world, before, 3 * 8192);
    world.overlay.setAttributes(ino, { sizeBytes: 1 << 20 });
    assert.equal(world.sync(ino), 0);
    const after = pattern(4098, 3);
    write(world, after, 3 * 8192);
    let asked = 0;
    world.restart(() => asked++ > 0); // The first question is whether the length is kept.
    const found = world.withNode("d/odd", ({ ino }) => world.read(ino));
    assertBytes(found.subarray(3 * 8192, 3 * 8192 + 4098), after);
  });
});

Deno.test("a file without a name leaves nothing behind: let go of, killed, unmounted [FR-473]", () => {
  for (const end of ["forget", "crash", "remount"] as const) {
    inWorld((world) => {
      const { ino, links } = world.overlay.makeTemporary(ROOT_INO, NODE);
      assert.equal(links, 0);
      const bytes = pattern(9000, 1);
      world.overlay.write(ino, addressOf(bytes), { offsetBytes: 0, sizeBytes: bytes.length });
      assert.equal(world.sync(ino), 0);
      assertBytes(world.read(ino), bytes);
      assert.equal(world.dataSizeBytes(1), 9000);
      if (end === "forget") {
        world.overlay.forget(ino, 1);
        world.overlay.doDeferred();
      } else if (end === "crash") world.crash(() => true);
      else world.remount();
      assert.throws(() => world.dataSizeBytes(1), Deno.errors.NotFound, end);
      assert(!world.store.load().inodes.some((inode) => inode.ino === ino), end);
      world.compare();
    });
  }
});

Deno.test("a file that got its name later keeps all that was synced, in any crash [FR-473]", () => {
  for (const namedFirst of [true, false]) {
    inWorld((world) => {
      const { ino } = world.overlay.makeTemporary(ROOT_INO, { ...NODE, mode: 0o100640 });
      const bytes = pattern(9000, 2);
      const range = { offsetBytes: 0, sizeBytes: bytes.length };
      const attribute = { name: name("user.a"), value: pattern(5, 3) };
      const link = () => assert.equal(world.overlay.link(ino, inRoot("named")).links, 1);
      world.overlay.setExtendedAttribute(ino, attribute, 0);
      if (namedFirst) link();
      world.overlay.write(ino, addressOf(bytes), range);
      if (!namedFirst) {
        assert.equal(world.sync(ino), 0);
        link();
      }
      assert.equal(world.sync(ino), 0);
      world.restart(() => true);
      world.withNode("named", (found) => {
        assert.deepEqual([found.ino, found.links, found.mode], [ino, 1, 0o100640]);
        assertBytes(world.read(found.ino), bytes);
        const value = world.overlay.getExtendedAttribute(ino, attribute.name);
        assert.deepEqual(value, attribute.value);
      });
      assert.throws(() => world.overlay.makeTemporary(ino, NODE), { errno: ERRNO.ENOTDIR });
    });
  }
});

Deno.test("a name that is taken leaves the file without one, and a deleted file stays so [FR-473]", () => {
  inWorld((world) => {
    const { ino } = world.overlay.makeTemporary(ROOT_INO, NODE);
    assert.throws(() => world.overlay.link(ino, inRoot("conf")), { errno: ERRNO.EEXIST });
    assert.equal(world.overlay.getAttributes(ino).links, 0);
    world.overlay.link(ino, inRoot("named"));
    world.overlay.unlink(inRoot("named"));
    assert.throws(() => world.overlay.link(ino, inRoot("again")), { errno: ERRNO.ENOENT });
    const place = { parent: ROOT_INO, name: name("dir") };
    const directory = world.overlay.makeDirectory(place, NODE).ino;
    world.overlay.removeDirectory(place);
    assert.throws(() => world.overlay.makeTemporary(directory, NODE), { errno: ERRNO.ENOENT });
  });
});

Deno.test("the time at which a file was made is kept, and that of the base is the diff's [FR-474]", () => {
  inWorld((world) => {
    const { born, ino } = world.overlay.makeNode(inRoot("new"), NODE);
    assert(born !== undefined && born.seconds > 1_700_000_000);
    const early = { seconds: 5, nanoseconds: 7 };
    world.overlay.setAttributes(ino, { accessed: early, modified: early, changed: early });
    const old = world.withNode("conf", (found) => found.born);
    assert.equal(old?.seconds, 1_700_000_000);
    world.withNode("conf", (found) => world.overlay.setAttributes(found.ino, { mode: 0o600 }));
    world.remount();
    assert.deepEqual(world.withNode("new", (found) => found.born), born);
    assert.deepEqual(world.withNode("conf", (found) => found.born), old);
  });
});
