/**
 * A mount and a plain directory to which the same is done, and which must look the same.
 *
 * @module
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { type ByteString, byteStringOf } from "../../ffi/bytes.ts";
import {
  close,
  copyFileRange,
  fallocate,
  fsync,
  ftruncate,
  link,
  listAttributes,
  lstat,
  map,
  mkdir,
  open,
  PosixError,
  pread,
  pwrite,
  rename,
  rmdir,
  seek,
  setAttribute,
  symlink,
  unlink,
  utimens,
  write,
} from "../support/posix.ts";
import { checkHoles } from "./extents.ts";
import { fill, O } from "./place.ts";
import { treeOf } from "./tree.ts";

/** Two directories that hold the same. */
export class Pair {
  readonly dirs: readonly [string, string];
  readonly #remount: () => Promise<void>;
  /** Files that are open, in both. */
  readonly slots: ([number, number] | undefined)[] = [];

  constructor(options: { mountDir: string; plainDir: string; remount: () => Promise<void> }) {
    this.dirs = [options.mountDir, options.plainDir];
    this.#remount = options.remount;
  }

  /** Does something in both, and compares what comes of it: a result, or an errno. */
  both<T>(body: (path: (name: string) => ByteString, side: 0 | 1) => T): void {
    const outcomes = this.dirs.map((dir, side) => {
      try {
        return { result: body((name) => byteStringOf(`${dir}/${name}`), side as 0 | 1) };
      } catch (error) {
        if (error instanceof PosixError) return { errno: error.errno };
        throw error;
      }
    });
    assert.deepEqual(outcomes[0], outcomes[1]);
  }

  close(slot: number): void {
    const fds = this.slots[slot];
    this.slots[slot] = undefined;
    if (fds !== undefined) fds.forEach(close);
  }

  closeAll(): void {
    for (const slot of this.slots.keys()) this.close(slot);
  }

  async remount(): Promise<void> {
    this.closeAll();
    const before = treeOf(this.dirs[0]);
    await this.#remount();
    assert.deepEqual(treeOf(this.dirs[0]), before, "the same tree after a remount");
  }

  /** Compares the trees: all but what no two file systems share. */
  compare(): void {
    const [mounted, plain] = this.dirs.map((dir) =>
      Object.fromEntries(
        Object.entries(treeOf(dir)).map(([path, facts]) => {
          // Inode numbers differ, and so do times that nobody set.
          const [, left = "", time = "", content = ""] =
            /^(.*) (-?\d+) (\w*)$/.exec(facts.replace(/ inode \d+/, "")) ?? [];
          return [path, `${left} ${BigInt(time) < SET_TIME_MAX ? time : ""} ${content}`];
        }),
      )
    );
    assert.deepEqual(mounted, plain);
  }
}

/** Times that steps set are before this, those of the clock after it. */
const SET_TIME_MAX = 1_000_000_000_000_000_000n;

class Step implements fc.AsyncCommand<object, Pair> {
  readonly #text: string;
  readonly #run: (pair: Pair) => void | Promise<void>;

  constructor(text: string, run: (pair: Pair) => void | Promise<void>) {
    this.#text = text;
    this.#run = run;
  }

  check(): boolean {
    return true;
  }

  async run(_model: object, pair: Pair): Promise<void> {
    await this.#run(pair);
  }

  toString(): string {
    return this.#text;
  }
}

/** What can be done to an open file. The result is compared. */
interface FileAction {
  readonly text: string;
  readonly run: (fd: number) => unknown;
}

const KEPT = ["base/1/1255", "base/1/1259", "base/1/PG_VERSION", "base/1/2619", "global/1262"];
const FILES = [...KEPT, "new", "pg_notify/new", "base/new/f"];
const PATHS = [...FILES, "base/1", "base/new", "pg_notify", "pg_notify/d", "pg_logical", "link"];

const place = fc.oneof(
  fc.tuple(fc.nat(7), fc.integer({ min: -3, max: 3 })).map(([page, off]) =>
    Math.max(0, page * 8192 + off)
  ),
  fc.nat(60_000),
  fc.nat(900_000),
);
const size = fc.oneof(fc.nat(100), fc.constantFrom(4096, 8192, 8193, 40_000), fc.nat(30_000));
const salt = fc.nat(250);

function actionOf(kind: number, at: number, sizeBytes: number, salt: number): FileAction {
  const bytes = fill(sizeBytes, salt);
  const mode = [0, 1, 3, 16, 17][salt % 5] as number;
  const actions: FileAction[] = [
    { text: `write ${at}+${sizeBytes}`, run: (fd) => pwrite(fd, bytes, at) },
    { text: `read ${at}+${sizeBytes}`, run: (fd) => pread(fd, sizeBytes, at) },
    { text: `truncate ${at}`, run: (fd) => ftruncate(fd, at) },
    {
      text: `fallocate mode ${mode} ${at}+${sizeBytes + 1}`,
      run: (fd) => fallocate(fd, mode, at, sizeBytes + 1),
    },
    { text: "fsync", run: fsync },
    { text: "read all", run: (fd) => pread(fd, 2_000_000, 0) },
    // Where holes begin and end differs from one file system to another; both must be right.
    { text: "look for holes", run: (fd) => void checkHoles(fd) },
    {
      text: `map and change ${at}+${sizeBytes}`,
      run(fd) {
        const end = seek(fd, 0, 2);
        const from = Math.min(at, end);
        const part = bytes.subarray(0, end - from);
        if (part.length === 0) return;
        const mapping = map(fd, end, true);
        mapping.bytes.set(part, from);
        if (salt % 2 === 0) mapping.sync();
        mapping.unmap();
      },
    },
  ];
  return actions[kind % actions.length] as FileAction;
}

const action = fc.tuple(fc.constantFrom(0, 0, 0, 1, 2, 3, 4, 5, 6, 7), place, size, salt)
  .map((args) => actionOf(...args));

function onPath(name: string, { text, run }: FileAction): Step {
  return new Step(`${name}: ${text}`, (pair) =>
    pair.both((path) => {
      const fd = open(path(name), O.readWrite);
      try {
        return run(fd);
      } finally {
        close(fd);
      }
    }));
}

function onSlot(slot: number, { text, run }: FileAction): Step {
  return new Step(`open file ${slot}: ${text}`, (pair) => {
    const fds = pair.slots[slot];
    if (fds !== undefined) pair.both((_path, side) => run(fds[side]));
  });
}

function openSlot(slot: number, name: string): Step {
  return new Step(`open ${name} as ${slot}`, (pair) => {
    pair.close(slot);
    const fds = [-1, -1] as [number, number];
    pair.both((path, side) => {
      fds[side] = open(path(name), O.readWrite);
      return undefined;
    });
    if (fds[0] >= 0) pair.slots[slot] = fds;
  });
}

function append(name: string, sizeBytes: number, salt: number): Step {
  return new Step(`${name}: append ${sizeBytes}`, (pair) =>
    pair.both((path) => {
      const fd = open(path(name), O.write | O.append);
      try {
        return write(fd, fill(sizeBytes, salt));
      } finally {
        close(fd);
      }
    }));
}

function copy(from: string, to: string, at: number, sizeBytes: number): Step {
  return new Step(`copy ${sizeBytes} of ${from} to ${to} at ${at}`, (pair) =>
    pair.both((path) => {
      if (from === to) return;
      const source = open(path(from), O.read);
      try {
        const target = open(path(to), O.readWrite);
        try {
          seek(target, at, 0);
          return copyFileRange(source, target, sizeBytes);
        } finally {
          close(target);
        }
      } finally {
        close(source);
      }
    }));
}

/** One call with paths; its result is not compared. */
function call(text: string, run: (path: (name: string) => ByteString) => unknown): Step {
  return new Step(text, (pair) =>
    pair.both((path) => {
      run(path);
    }));
}

const path = fc.constantFrom(...PATHS);
const file = fc.constantFrom(...FILES);
const slot = fc.nat(2);

const weighted: readonly [number, fc.Arbitrary<Step>][] = [
  [20, fc.tuple(file, action).map((args) => onPath(...args))],
  [10, fc.tuple(slot, action).map((args) => onSlot(...args))],
  [4, fc.tuple(slot, file).map((args) => openSlot(...args))],
  [2, slot.map((n) => new Step(`close ${n}`, (pair) => pair.close(n)))],
  [3, fc.tuple(file, size, salt).map((args) => append(...args))],
  [2, fc.tuple(file, file, place, size).map((args) => copy(...args))],
  [
    4,
    file.map((name) =>
      call(`create ${name}`, (p) => close(open(p(name), O.create | O.exclusive | O.write)))
    ),
  ],
  [2, file.map((name) => call(`empty ${name}`, (p) => close(open(p(name), O.write | O.truncate))))],
  [2, path.map((name) => call(`mkdir ${name}`, (p) => mkdir(p(name))))],
  [2, path.map((name) => call(`rmdir ${name}`, (p) => rmdir(p(name))))],
  [3, path.map((name) => call(`unlink ${name}`, (p) => unlink(p(name))))],
  [2, fc.tuple(path, path).map(([a, b]) => call(`link ${a} ${b}`, (p) => link(p(a), p(b))))],
  [
    1,
    path.map((name) =>
      call(`symlink ${name}`, (p) => symlink("some/where" as ByteString, p(name)))
    ),
  ],
  [
    8,
    fc.tuple(path, path, fc.constantFrom(0, 0, 1, 2)).map(([a, b, flags]) =>
      call(`rename ${a} ${b} flags ${flags}`, (p) => rename(p(a), p(b), flags))
    ),
  ],
  [
    2,
    fc.tuple(path, fc.bigInt(0n, SET_TIME_MAX - 1n)).map(([name, time]) =>
      call(`utimens ${name} ${time}`, (p) => utimens(p(name), time, time))
    ),
  ],
  [
    1,
    fc.tuple(path, size).map(([name, bytes]) =>
      new Step(`setxattr ${name} ${bytes}`, (pair) =>
        pair.both((p) => {
          lstat(p(name));
          if (lstat(p(name)).type === "symlink") return;
          setAttribute(p(name), "user.test", fill(bytes % 1000));
          return listAttributes(p(name));
        }))
    ),
  ],
  [
    2,
    path.map((name) =>
      call(`fsync ${name}`, (p) => {
        const fd = open(p(name), O.read);
        try {
          fsync(fd);
        } finally {
          close(fd);
        }
      })
    ),
  ],
  [2, fc.constant(0).map(() => new Step("compare", (pair) => pair.compare()))],
];

/** Sequences of steps, with a remount now and then, since it takes its time. */
export function pairSteps(stepsMax: number): fc.Arbitrary<Iterable<fc.AsyncCommand<object, Pair>>> {
  const remount = new Step("remount", (pair) => pair.remount());
  const steps = weighted.map(([weight, arbitrary]) => ({ weight, arbitrary }));
  const step = fc.oneof(...steps, { weight: 1, arbitrary: fc.constant(remount) });
  return fc.commands([step], { maxCommands: stepsMax, size: "max" });
}
