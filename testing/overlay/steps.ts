/**
 * What can happen to a mounted file system, as steps that fast-check puts together at random.
 *
 * @module
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { ERRNO } from "../../errors.ts";
import { addressOf } from "../../ffi/memory.ts";
import type { ByteString } from "../../ffi/bytes.ts";
import type { ByteRange } from "../../ffi/libc.ts";
import { type Ino, RENAME } from "../../fuse/mod.ts";
import { type FakeEntry, pattern } from "./fake_base.ts";
import type { Fault } from "./fragile_disk.ts";
import { ModelNode, Refused, same } from "./model.ts";
import type { World } from "./world.ts";

/** Data files of odd and even sizes, files that are copied up and one that is not. */
export const BASE: Readonly<Record<string, FakeEntry>> = {
  big: { kind: "file", isDataFile: false, bytes: pattern((1 << 20) + 5000, 1) },
  conf: { kind: "file", isDataFile: false, bytes: pattern(100, 2) },
  d: { kind: "directory" },
  "d/data": { kind: "file", isDataFile: true, bytes: pattern(5 * 8192, 3) },
  "d/gaps": { kind: "file", isDataFile: true, bytes: withGaps(6, [0, 3, 4]) },
  "d/odd": { kind: "file", isDataFile: true, bytes: pattern(20_001, 4) },
  "d/s": { kind: "directory" },
  "d/s/data": { kind: "file", isDataFile: true, bytes: pattern(8192, 5) },
  "d/s/void": { kind: "file", isDataFile: true, bytes: new Uint8Array() },
  empty: { kind: "file", isDataFile: false, bytes: new Uint8Array() },
  link: { kind: "symlink", target: "d/data" },
};

/** Some pages that nobody has stored among others. */
function withGaps(pages: number, gaps: readonly number[]): Uint8Array {
  const bytes = pattern(pages * 8192, 6);
  for (const gap of gaps) bytes.fill(0, gap * 8192, (gap + 1) * 8192);
  return bytes;
}

const PATHS = [...Object.keys(BASE), "n", "n/a", "n/b", "n/d", "d/new", "d/s/x", "d/s/x/y", "z"];
const FILES = [
  "big",
  "conf",
  "d/data",
  "d/gaps",
  "d/odd",
  "d/s/data",
  "d/s/void",
  "n/a",
  "d/new",
  "z",
];

/** A file by its path, or by the slot in which it is held open. */
type Target = { readonly path: string } | { readonly slot: number };

/** One step. */
class Step {
  readonly #text: string;
  readonly #run: (world: World) => void;

  constructor(text: string, run: (world: World) => void) {
    this.#text = text;
    this.#run = run;
  }

  check(): boolean {
    return true;
  }

  run(_model: object, world: World): void {
    this.#run(world);
    world.compare();
  }

  toString(): string {
    return this.#text;
  }
}

/** Finds the target on both sides. A slot that holds nothing: nothing is done. */
function onFile(
  world: World,
  target: Target,
  body: (file: { node: ModelNode; ino: Ino }) => void,
): void {
  if ("slot" in target) {
    const held = world.open[target.slot];
    if (held !== undefined) body(held);
    return;
  }
  let node: ModelNode | undefined;
  const found = world.both(
    () => {
      node = world.model.find(target.path);
    },
    () => world.withNode(target.path, () => {}),
  );
  if (!found || node?.kind !== "file") return;
  const file = node;
  world.withNode(target.path, ({ ino }) => body({ node: file, ino }));
}

/** `bytes` with `part` at `at`, longer if need be. */
function patched(bytes: Uint8Array, at: number, part: Uint8Array): Uint8Array {
  const made = new Uint8Array(Math.max(bytes.length, at + part.length));
  made.set(bytes);
  made.set(part, at);
  return made;
}

function resized(bytes: Uint8Array, sizeBytes: number): Uint8Array {
  const made = new Uint8Array(sizeBytes);
  made.set(bytes.subarray(0, sizeBytes));
  return made;
}

/** A change of a file's bytes: what the overlay is asked for, and what must come out. */
interface Change {
  readonly text: string;
  readonly apply: (world: World, ino: Ino) => void;
  readonly result: (bytes: Uint8Array) => Uint8Array;
  /** What may be different if it fails half-way. */
  readonly range: (bytes: Uint8Array) => ByteRange;
}

function write(offsetBytes: number, sizeBytes: number, salt: number): Change {
  const part = pattern(sizeBytes, salt);
  const range = { offsetBytes, sizeBytes };
  return {
    text: `write ${offsetBytes}+${sizeBytes}`,
    apply: (world, ino) => world.overlay.write(ino, addressOf(part), range),
    result: (bytes) => sizeBytes === 0 ? bytes : patched(bytes, offsetBytes, part),
    range: () => range,
  };
}

function truncate(sizeBytes: number): Change {
  return {
    text: `truncate ${sizeBytes}`,
    apply: (world, ino) => void world.overlay.setAttributes(ino, { sizeBytes }),
    result: (bytes) => resized(bytes, sizeBytes),
    range: (bytes) => ({
      offsetBytes: Math.min(sizeBytes, bytes.length),
      sizeBytes: Math.abs(sizeBytes - bytes.length),
    }),
  };
}

/** Modes of fallocate(2), and whether they zero and keep the size. */
const MODES = [
  { mode: 0, zeroes: false, keeps: false },
  { mode: 1, zeroes: false, keeps: true },
  { mode: 3, zeroes: true, keeps: true },
  { mode: 16, zeroes: true, keeps: false },
  { mode: 17, zeroes: true, keeps: true },
] as const;

function reserve(kind: typeof MODES[number], offsetBytes: number, sizeBytes: number): Change {
  const range = { offsetBytes, sizeBytes };
  return {
    text: `fallocate mode ${kind.mode} ${offsetBytes}+${sizeBytes}`,
    apply: (world, ino) => world.overlay.allocate(ino, kind.mode, range),
    result: (bytes) => {
      const end = offsetBytes + sizeBytes;
      const made = resized(bytes, kind.keeps ? bytes.length : Math.max(bytes.length, end));
      return kind.zeroes ? made.fill(0, offsetBytes, end) : made;
    },
    range: () => range,
  };
}

function change(target: Target, { text, apply, result }: Change): Step {
  return new Step(
    `${nameOf(target)}: ${text}`,
    (world) =>
      onFile(world, target, ({ node, ino }) => {
        node.become(result(node.bytes));
        apply(world, ino);
      }),
  );
}

/** A change during which a call fails. What it does not touch stays. */
function failingChange(target: Target, change: Change, fault: Fault): Step {
  const { text, apply, range, result } = change;
  const { call, after } = fault;
  return new Step(
    `${nameOf(target)}: ${text}, ${call} ${after} fails`,
    (world) =>
      onFile(world, target, ({ node, ino }) => {
        const { commits } = world.store;
        world.disk.fault = fault;
        const errno = world.attempt(() => apply(world, ino));
        const isLeft = world.disk.isArmed;
        world.disk.fault = undefined;
        // Making room on a full disk tells the store of every name changed so far.
        if (world.store.commits > commits) world.model.commit();
        const bytes = world.read(ino);
        if (errno === 0 && !isLeft) {
          assert.equal(fault.errno, ERRNO.ENOSPC, "only a full disk may have room a moment later");
          assert(same(bytes, result(node.bytes)), "then all of it is there");
        } else if (!isLeft) {
          assert.equal(errno, fault.errno);
        }
        const { offsetBytes, sizeBytes } = range(node.bytes);
        const end = offsetBytes + sizeBytes;
        assert(
          same(
            bytes.subarray(0, offsetBytes),
            resized(node.bytes, bytes.length).subarray(0, offsetBytes),
          ),
          "before",
        );
        if (end < node.bytes.length) {
          assert(same(bytes.subarray(end), node.bytes.subarray(end)), "behind");
        }
        node.become(bytes);
      }),
  );
}

function nameOf(target: Target): string {
  return "path" in target ? target.path : `open file ${target.slot}`;
}

function makeFile(path: string): Step {
  return new Step(`create ${path}`, (world) =>
    void world.both(
      () => world.model.make(path, new ModelNode("file", 0o640)),
      () =>
        world.withPlace(
          path,
          (place) => made(world, world.overlay.makeNode(place, node(0o100640))),
        ),
    ));
}

function makeDirectory(path: string): Step {
  return new Step(`mkdir ${path}`, (world) =>
    void world.both(
      () => world.model.make(path, new ModelNode("directory", 0o750)),
      () =>
        world.withPlace(path, (place) =>
          made(world, world.overlay.makeDirectory(place, node(0o750)))),
    ));
}

function makeSymlink(path: string): Step {
  return new Step(`symlink ${path}`, (world) =>
    void world.both(
      () => world.model.make(path, new ModelNode("symlink", 0o777, "some/where")),
      () =>
        world.withPlace(path, (place) =>
          made(
            world,
            world.overlay.makeSymlink(place, "some/where" as ByteString, { uid: 0, gid: 0 }),
          )),
    ));
}

function node(mode: number) {
  return { mode, rdev: 0, caller: { uid: 0, gid: 0 } };
}

function made(world: World, { ino }: { ino: Ino }): void {
  world.overlay.forget(ino, 1);
}

function link(from: string, to: string): Step {
  return new Step(`link ${from} ${to}`, (world) =>
    void world.both(
      () => world.model.link(from, to),
      () =>
        world.withNode(from, ({ ino }) =>
          world.withPlace(to, (place) => made(world, world.overlay.link(ino, place)))),
    ));
}

function unlink(path: string): Step {
  return new Step(`unlink ${path}`, (world) =>
    void world.both(
      () => world.model.unlink(path),
      () => world.withPlace(path, (place) => world.overlay.unlink(place)),
    ));
}

function removeDirectory(path: string): Step {
  return new Step(`rmdir ${path}`, (world) =>
    void world.both(
      () => world.model.removeDirectory(path),
      () => world.withPlace(path, (place) => world.overlay.removeDirectory(place)),
    ));
}

function rename(from: string, to: string, how: "replace" | "noReplace" | "exchange"): Step {
  const flags = how === "replace" ? 0 : RENAME[how];
  return new Step(`rename ${from} ${to} ${how}`, (world) =>
    void world.both(
      () => world.model.rename(from, to, how),
      () =>
        world.withPlace(from, (source) =>
          world.withPlace(to, (target) => world.overlay.rename(source, target, flags))),
    ));
}

function setStatus(
  path: string,
  status: { mode: number; uid: number; gid: number; time: number },
): Step {
  return new Step(
    `setattr ${path} ${status.mode.toString(8)} ${status.time}`,
    (world) =>
      void world.both(
        () => {
          const found = world.model.find(path);
          const { mode, uid, gid } = status;
          // A change of the owner takes the set-user-ID bits away, except from directories.
          const cleared = mode & ((mode & 0o010) !== 0 ? ~0o6000 : ~0o4000);
          const left = found.kind === "directory" ? mode : cleared;
          Object.assign(found.status, { mode: left, uid, gid });
          found.modified = status.time;
        },
        () =>
          world.withNode(path, ({ ino }) => {
            const { mode, uid, gid, time: seconds } = status;
            const modified = { seconds, nanoseconds: 123456789 };
            world.overlay.setAttributes(ino, { mode });
            world.overlay.setAttributes(ino, { uid, gid, modified });
          }),
      ),
  );
}

function setExtendedAttribute(path: string, name: string, sizeBytes: number, flags: number): Step {
  const value = pattern(sizeBytes, sizeBytes + flags);
  return new Step(
    `setxattr ${path} ${name} ${sizeBytes} flags ${flags}`,
    (world) =>
      void world.both(
        () => {
          const { attributes } = world.model.find(path).status;
          if (flags === 1 && attributes.has(name)) throw new Refused("EEXIST");
          if (flags === 2 && !attributes.has(name)) throw new Refused("ENODATA");
          attributes.set(name, value);
        },
        () =>
          world.withNode(
            path,
            ({ ino }) =>
              world.overlay.setExtendedAttribute(ino, { name: name as ByteString, value }, flags),
          ),
      ),
  );
}

function removeExtendedAttribute(path: string, name: string): Step {
  return new Step(`removexattr ${path} ${name}`, (world) =>
    void world.both(
      () => {
        if (!world.model.find(path).status.attributes.delete(name)) throw new Refused("ENODATA");
      },
      () =>
        world.withNode(path, ({ ino }) =>
          world.overlay.removeExtendedAttribute(ino, name as ByteString)),
    ));
}

function openFile(path: string, slot: number): Step {
  return new Step(`open ${path} as ${slot}`, (world) => {
    close(world, slot);
    onFile(world, { path }, ({ node, ino }) => {
      world.overlay.remember(ino);
      world.open[slot] = { node, ino };
    });
  });
}

function close(world: World, slot: number): void {
  const held = world.open[slot];
  world.open[slot] = undefined;
  if (held !== undefined) world.overlay.forget(held.ino, 1);
}

function sync(target: Target): Step {
  return new Step(`${nameOf(target)}: fsync`, (world) =>
    onFile(world, target, ({ node, ino }) => {
      assert.equal(world.sync(ino), 0);
      node.synced();
      world.model.commit();
    }));
}

function syncDirectory(): Step {
  return new Step("fsync of a directory", (world) => {
    world.withNode("", ({ ino }) => world.overlay.syncDirectory(ino, 1 as never));
    world.model.commit();
  });
}

/** A sync fails, once for each process that was there; the file then is as after a crash. */
function failingSync(target: Target): Step {
  return new Step(
    `${nameOf(target)}: fsync fails`,
    (world) =>
      onFile(world, target, ({ node, ino }) => {
        world.disk.fault = { call: "fdatasync", errno: ERRNO.EIO };
        const errno = world.sync(ino, false, 1);
        const isLeft = world.disk.isArmed;
        world.disk.fault = undefined;
        world.model.commit();
        if (isLeft) {
          assert.equal(errno, 0);
          return node.synced();
        }
        assert.equal(errno, ERRNO.EIO);
        assert.equal(world.sync(ino, false, 3), ERRNO.EIO, "another one hears of it, too");
        world.healed(node, ino);
        assert.equal(world.sync(ino, false, 1), 0, "it goes on");
        assert.equal(world.sync(ino, false, 2), 0, "who came later need not hear of it");
        node.synced();
        assert.equal(world.sync(ino, false, 3), 0);
      }),
  );
}

/** The store fails once; then the same sync succeeds. */
function failingCommit(target: Target): Step {
  return new Step(
    `${nameOf(target)}: fsync, the store fails`,
    (world) =>
      onFile(world, target, ({ ino }) => {
        world.store.failErrno = ERRNO.ENOSPC;
        const errno = world.sync(ino);
        const isLeft = world.store.failErrno !== 0;
        world.store.failErrno = 0;
        assert.equal(errno, isLeft ? 0 : ERRNO.ENOSPC);
        if (isLeft) world.model.commit();
      }),
  );
}

function commitAll(): Step {
  return new Step("commit what waits", (world) => {
    world.overlay.doDeferred();
    world.model.commit();
  });
}

function remount(): Step {
  return new Step("remount", (world) => world.remount());
}

function crash(): Step {
  return new Step("crash", (world) => world.crash());
}

function powerCut(salt: number): Step {
  return new Step(`power cut ${salt}`, (world) => {
    let state = salt;
    world.crash(() => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return (state & 0x10000) !== 0;
    });
  });
}

const path = fc.constantFrom(...PATHS);
const target: fc.Arbitrary<Target> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ path: fc.constantFrom(...FILES) }) },
  { weight: 1, arbitrary: fc.record({ slot: fc.nat(2) }) },
);
/** Places near borders of pages, and near the end of the large file. */
const place = fc.oneof(
  fc.tuple(fc.nat(7), fc.integer({ min: -3, max: 3 })).map(([page, off]) =>
    Math.max(0, page * 8192 + off)
  ),
  fc.nat(60_000),
  fc.nat(60_000).map((at) => (1 << 20) - 20_000 + at),
);
const size = fc.oneof(
  fc.nat(100),
  fc.constantFrom(4096, 8192, 8191, 8193, 16_384, 24_576),
  fc.nat(30_000),
);
const salt = fc.nat(1_000_000);
const writing = fc.tuple(place, size, salt).map((args) => write(...args));
const anyChange = fc.oneof(
  { weight: 3, arbitrary: writing },
  { weight: 1, arbitrary: fc.oneof(fc.constant(0), place).map(truncate) },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.constantFrom(...MODES), place, size.map((s) => s + 1))
      .map((args) => reserve(...args)),
  },
);
const fault = fc.record({
  call: fc.constantFrom("pwrite", "pwrite", "open", "ftruncate", "fallocate"),
  errno: fc.constantFrom(ERRNO.EIO, ERRNO.ENOSPC),
  after: fc.nat(2),
}) as fc.Arbitrary<Fault>;
const attributeName = fc.constantFrom("user.a", "user.b");

const weighted: readonly [number, fc.Arbitrary<Step>][] = [
  [30, fc.tuple(target, anyChange).map((args) => change(...args))],
  [4, fc.tuple(target, anyChange, fault).map((args) => failingChange(...args))],
  [5, path.map(makeFile)],
  [3, path.map(makeDirectory)],
  [1, path.map(makeSymlink)],
  [3, fc.tuple(path, path).map((args) => link(...args))],
  [5, path.map(unlink)],
  [3, path.map(removeDirectory)],
  [
    8,
    fc.tuple(path, path, fc.constantFrom("replace", "replace", "noReplace", "exchange"))
      .map((args) => rename(...args)),
  ],
  [
    2,
    fc.tuple(
      path,
      fc.record({ mode: fc.nat(0o7777), uid: fc.nat(9), gid: fc.nat(9), time: fc.nat(2 ** 31) }),
    ).map((args) => setStatus(...args)),
  ],
  [
    2,
    fc.tuple(path, attributeName, fc.nat(100), fc.nat(2))
      .map((args) => setExtendedAttribute(...args)),
  ],
  [1, fc.tuple(path, attributeName).map((args) => removeExtendedAttribute(...args))],
  [4, fc.tuple(path, fc.nat(2)).map((args) => openFile(...args))],
  [2, fc.nat(2).map((slot) => new Step(`close ${slot}`, (world) => close(world, slot)))],
  [8, target.map(sync)],
  [2, fc.constant(0).map(syncDirectory)],
  [2, target.map(failingSync)],
  [2, target.map(failingCommit)],
  [3, fc.constant(0).map(commitAll)],
  [2, fc.constant(0).map(remount)],
  [2, fc.constant(0).map(crash)],
  [3, salt.map(powerCut)],
];

/** Sequences of steps. */
export function sequences(stepsMax: number): fc.Arbitrary<Iterable<fc.Command<object, World>>> {
  // Its own choice of commands would take each kind equally often.
  const step = fc.oneof(...weighted.map(([weight, arbitrary]) => ({ weight, arbitrary })));
  return fc.commands([step], { maxCommands: stepsMax, size: "max" });
}
