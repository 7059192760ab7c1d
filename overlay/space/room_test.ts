/** What a full disk, or a quota, does to an overlay and to a kernel that gathers writes. */

import assert from "node:assert/strict";
import { ERRNO, PbkfsError } from "../../errors.ts";
import { type ByteString, byteStringOf } from "../../ffi/bytes.ts";
import { writeField } from "../../ffi/layout.ts";
import { type Fd, type Libc, OPEN, STATVFS, systemLibc } from "../../ffi/libc.ts";
import { addressOf, allocate, borrow } from "../../ffi/memory.ts";
import { type Ino, type Request, ROOT_INO } from "../../fuse/mod.ts";
import { FakeBase, pattern } from "../../testing/overlay/fake_base.ts";
import { Reading } from "../../testing/overlay/reading.ts";
import { BASE } from "../../testing/overlay/steps.ts";
import { InlineCommitter, makeContext } from "../commit/committer.ts";
import { Reserve } from "../data/reserve.ts";
import { Overlay } from "../overlay.ts";
import { OverlayCounters } from "../shared/counters.ts";
import { MemoryStore } from "../store/memory_store.ts";
import { StoredState } from "../store/stored_state.ts";
import type { SpaceChange } from "./space.ts";

const PAGE = 8192;
const MIB = 1 << 20;

/** A disk that counts what is written, and refuses more than a limit, which statvfs may not show. */
class CountedDisk {
  limitBytes = 16 * MIB;
  /** What statvfs says, instead of what is left. */
  shownBytes: number | undefined;
  errno: number = ERRNO.ENOSPC;
  readonly libc: Libc;
  readonly #used = new Map<number, Set<number>>();

  constructor() {
    const libc = systemLibc();
    const take = (
      fd: Fd,
      { offsetBytes, sizeBytes }: { offsetBytes: number; sizeBytes: number },
    ) => {
      const pages = this.#pagesOf(fd);
      const wanted = [];
      for (let at = Math.floor(offsetBytes / PAGE); at * PAGE < offsetBytes + sizeBytes; at++) {
        if (!pages.has(at)) wanted.push(at);
      }
      if (this.usedBytes + wanted.length * PAGE > this.limitBytes) {
        throw new PbkfsError("Io", { what: "full, on purpose", errno: this.errno });
      }
      for (const page of wanted) pages.add(page);
    };
    this.libc = {
      ...libc,
      pwrite: (fd, source, range) => {
        take(fd, range);
        libc.pwrite(fd, source, range);
      },
      fallocate: (fd, mode, range) => {
        take(fd, range);
        libc.fallocate(fd, mode, range);
      },
      ftruncate: (fd, sizeBytes) => {
        const pages = this.#pagesOf(fd);
        for (const page of pages) if (page * PAGE >= sizeBytes) pages.delete(page);
        libc.ftruncate(fd, sizeBytes);
      },
      fstatvfs: (_fd, target) => {
        const { view } = allocate(256);
        const left = this.shownBytes ?? this.limitBytes - this.usedBytes;
        writeField(view, STATVFS.fragmentBytes, PAGE);
        writeField(view, STATVFS.available, Math.max(0, Math.floor(left / PAGE)));
        borrow(target, 112).set(new Uint8Array(view.buffer, view.byteOffset, 112));
      },
    };
  }

  get usedBytes(): number {
    return [...this.#used.values()].reduce((sum, pages) => sum + pages.size, 0) * PAGE;
  }

  #pagesOf(fd: Fd): Set<number> {
    const { inode } = systemLibc().fstat(fd);
    const known = this.#used.get(inode) ?? new Set();
    this.#used.set(inode, known);
    return known;
  }
}

/** An overlay with a reserve of 4 MiB, on such a disk, below a kernel that has been told things. */
class Setting {
  readonly disk = new CountedDisk();
  readonly overlay: Overlay;
  readonly forgotten = new Set<Ino>();
  readonly changes: SpaceChange[] = [];
  clockMs = 0;
  readonly #dirPath = Deno.makeTempDirSync({ prefix: "pbkfs-test-" });
  readonly #directoryFd: Fd;
  readonly #base = new FakeBase(BASE);

  constructor(vital: readonly string[] = []) {
    const { libc } = this.disk;
    Deno.mkdirSync(`${this.#dirPath}/data`);
    const dataDirectory = byteStringOf(`${this.#dirPath}/data`);
    const path = byteStringOf(`${this.#dirPath}/reserve`);
    const reserve = new Reserve({ libc, path, targetBytes: 4 * MIB });
    reserve.fill(0);
    const directoryFd = this.#directoryFd = libc.open(dataDirectory, OPEN.readOnly);
    const store = new MemoryStore();
    this.overlay = new Overlay({
      base: this.#base,
      reads: new Reading({ libc, workers: false }).engine,
      state: new StoredState(store.loadPacked()),
      committer: new InlineCommitter(makeContext({
        ...{ store, libc, dataDirectory, dataDirectoryFd: directoryFd },
        reply: () => {},
        onError: () => {},
      })),
      libc,
      dataDirectory,
      owner: { uid: 0, gid: 0, rootMode: 0o700, time: { seconds: 1, nanoseconds: 0 } },
      counters: new OverlayCounters(),
      clock: () => this.clockMs,
      room: {
        limits: { lowBytes: MIB, nearBytes: 2 * MIB, nearFiles: 0 },
        reserve,
        vital: { overwritten: vital as ByteString[], small: [] },
        asks: true,
        onChange: (change) => void this.changes.push(change),
      },
    });
    this.overlay.attach({
      forgetAttributes: (ino) => {
        this.forgotten.add(ino);
        return true;
      },
    });
  }

  get state(): string {
    return this.changes.at(-1)?.to ?? "room";
  }

  create(name: string): Ino {
    const node = { mode: 0o100600, rdev: 0, caller: { uid: 0, gid: 0 } };
    return this.overlay.makeNode({ parent: ROOT_INO, name: name as ByteString }, node).ino;
  }

  /** A write that the kernel had gathered. */
  write(ino: Ino, megabyte: number, isAccepted = true): void {
    const range = { offsetBytes: megabyte * MIB, sizeBytes: MIB };
    this.overlay.write(ino, addressOf(pattern(MIB, megabyte)), range, { isAccepted });
  }

  [Symbol.dispose](): void {
    this.overlay.close();
    this.disk.libc.close(this.#directoryFd);
    this.#base.close();
    Deno.removeSync(this.#dirPath, { recursive: true });
  }
}

Deno.test("what was accepted takes of the reserve, and no more is accepted [FR-460]", () => {
  using setting = new Setting();
  const ino = setting.create("file");
  const other = setting.create("other");
  for (let at = 0; at < 11; at++) setting.write(ino, at);
  assert.equal(setting.state, "near");
  setting.write(ino, 11);
  assert.equal(setting.state, "low", "there is less than a megabyte");
  assert(setting.forgotten.has(ino) && setting.forgotten.has(other), "the kernel must ask");
  assert.throws(() => setting.overlay.mayWrite(ino), { errno: ERRNO.ENOSPC });
  assert.throws(() => setting.create("new"), { errno: ERRNO.ENOSPC });
  for (let at = 12; at < 16; at++) setting.write(ino, at);
  assert.equal(setting.state, "full");
  assert.throws(() => setting.write(ino, 16), { errno: ERRNO.ENOSPC }, "the reserve is used up");
  setting.overlay.unlink({ parent: ROOT_INO, name: "other" as ByteString });
  setting.overlay.setAttributes(ino, { sizeBytes: MIB });
  setting.overlay.sync(ino, 1 as Request, { dataOnly: false });
  setting.overlay.mayWrite(ino);
  assert.equal(setting.state, "room", "and the reserve is full again");
  setting.create("new");
});

Deno.test("a quota that statfs does not show closes the gate, and opens it when it is raised [FR-464]", () => {
  using setting = new Setting();
  setting.disk.errno = ERRNO.EDQUOT;
  setting.disk.shownBytes = 1e12;
  const ino = setting.create("file");
  for (let at = 0; at < 12; at++) setting.write(ino, at);
  assert.equal(setting.state, "room");
  for (let at = 12; at < 16; at++) setting.write(ino, at);
  assert.equal(setting.state, "full");
  assert.throws(() => setting.overlay.mayWrite(ino), { errno: ERRNO.EDQUOT });
  setting.disk.limitBytes = 21 * MIB;
  setting.clockMs += 1000;
  assert.throws(
    () => setting.overlay.mayWrite(ino),
    { errno: ERRNO.EDQUOT },
    "not enough to go on",
  );
  setting.disk.limitBytes = 23 * MIB;
  assert.throws(
    () => setting.overlay.mayWrite(ino),
    { errno: ERRNO.EDQUOT },
    "it is not tried always",
  );
  setting.clockMs += 1000;
  assert.equal(setting.overlay.deferredMs(), 0);
  setting.overlay.doDeferred();
  assert.equal(setting.state, "room", "though nobody has asked");
});

Deno.test("a write for which somebody waits is refused, and leaves the reserve alone [FR-460]", () => {
  using setting = new Setting();
  const ino = setting.create("file");
  for (let at = 0; at < 12; at++) setting.write(ino, at, false);
  assert.throws(() => setting.write(ino, 12, false), { errno: ERRNO.ENOSPC });
  assert.equal(setting.changes.at(-1)?.reserveBytes, 4 * MIB);
});

Deno.test("files that are written over in place are written on a full disk as well [FR-460]", () => {
  using setting = new Setting(["wal", "d"]);
  const wal = setting.create("wal");
  setting.write(wal, 0);
  const file = setting.create("file");
  for (let at = 0; at < 11; at++) setting.write(file, at);
  assert.equal(setting.state, "low");
  setting.overlay.mayWrite(wal);
  assert.throws(() => setting.overlay.mayWrite(file), { errno: ERRNO.ENOSPC });
  const { ino } = setting.overlay.lookup({ parent: ROOT_INO, name: "conf" as ByteString }) ?? {};
  assert.throws(() => setting.overlay.mayWrite(ino as Ino), { errno: ERRNO.ENOSPC });
});

Deno.test("near the end, a file of the base gets its data file before its first write [FR-460]", () => {
  using setting = new Setting();
  const filler = setting.create("file");
  const name = (text: string) => ({ parent: ROOT_INO, name: text as ByteString });
  const conf = setting.overlay.lookup(name("conf"));
  assert.equal(conf?.isFleeting, undefined);
  for (let at = 0; at < 11; at++) setting.write(filler, at);
  assert.equal(setting.state, "near");
  assert(setting.forgotten.has(conf?.ino as Ino) && !setting.forgotten.has(filler));
  assert.equal(setting.overlay.lookup(name("big"))?.isFleeting, true, "new to the kernel");
  assert.equal(setting.overlay.mustAsk(conf?.ino as Ino), true);
  setting.overlay.mayWrite(conf?.ino as Ino);
  assert.equal(setting.overlay.mustAsk(conf?.ino as Ino), false);
});
