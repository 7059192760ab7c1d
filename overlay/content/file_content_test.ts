import assert from "node:assert/strict";
import type { EntryIndex } from "../../backup/mod.ts";
import { ERRNO } from "../../errors.ts";
import { byteStringOf } from "../../ffi/bytes.ts";
import { addressOf } from "../../ffi/memory.ts";
import type { Ino } from "../../fuse/mod.ts";
import { FakeBase, pattern } from "../../testing/overlay/fake_base.ts";
import { FragileDisk } from "../../testing/overlay/fragile_disk.ts";
import { assertBytes } from "../../testing/overlay/model.ts";
import { Reading } from "../../testing/overlay/reading.ts";
import { DataFiles } from "../data/data_files.ts";
import type { DataId } from "../store/metadata_store.ts";
import { baseFiles } from "./base_files.ts";
import {
  COPY_UP_SIZE_BYTES_MAX,
  FILE_SIZE_BYTES_MAX,
  FileContent,
  PAGE_SIZE_BYTES as PAGE,
} from "./file_content.ts";

const INO = 2 as Ino;

/** Whether the test that runs has read workers. */
let withWorkers = false;

/** Runs a test without read workers, and with some. */
function test(name: string, body: () => void): void {
  Deno.test(name, body);
  Deno.test(`${name}, with workers`, () => {
    withWorkers = true;
    try {
      body();
    } finally {
      withWorkers = false;
    }
  });
}

/** A file of a base, and what it becomes. */
class Bench {
  readonly base: FakeBase;
  readonly disk: FragileDisk;
  readonly data: DataFiles;
  readonly reading: Reading;
  content: FileContent;
  readonly #dirPath = Deno.makeTempDirSync({ prefix: "pbkfs-test-" });
  #nextId = 1;

  constructor(bytes: Uint8Array, isDataFile = true) {
    this.base = new FakeBase({ file: { kind: "file", isDataFile, bytes } });
    this.disk = new FragileDisk(this.#dirPath);
    const directory = byteStringOf(this.#dirPath);
    this.reading = new Reading({ libc: this.disk.libc, workers: withWorkers });
    this.data = new DataFiles({ libc: this.disk.libc, directory });
    this.content = this.#make();
  }

  #make(): FileContent {
    const { libc } = this.disk;
    const newDataId = () => this.#nextId++ as DataId;
    return new FileContent(
      { libc, data: this.data, reads: this.reading.engine, newDataId, keepsLengths: true },
      baseFiles(this.base)(0 as EntryIndex),
    );
  }

  write(offsetBytes: number, bytes: Uint8Array<ArrayBuffer>): void {
    this.content.write(addressOf(bytes), { offsetBytes, sizeBytes: bytes.length });
  }

  read(offsetBytes = 0, sizeBytes = 1 << 20): Uint8Array {
    return this.reading.plan(this.content.plan({ offsetBytes, sizeBytes }));
  }

  /** Reads of the base since the last time. */
  baseReads(): string[] {
    return this.base.reads.splice(0);
  }

  /** The file as the store would give it back. */
  reload(): void {
    const records = this.content.takeRecords(INO);
    this.content = this.#make();
    if (records === undefined) return;
    this.content.restore(records.content);
    for (const record of records.pages) this.content.setPages(record);
  }

  get dataFiles(): string[] {
    return [...Deno.readDirSync(this.#dirPath)].map(({ name }) => name);
  }

  /** The only data file. */
  get dataPath(): string {
    return `${this.#dirPath}/${this.dataFiles[0]}`;
  }

  /** Space of the only data file, in pages. */
  get pagesTaken(): number {
    const { blocks } = Deno.statSync(this.dataPath);
    return (blocks ?? 0) * 512 / PAGE;
  }

  [Symbol.dispose](): void {
    this.reading.close();
    this.data.close();
    this.base.close();
    Deno.removeSync(this.#dirPath, { recursive: true });
  }
}

/** `bytes` with `part` written at `at`. */
function patched(bytes: Uint8Array, at: number, part: Uint8Array): Uint8Array {
  const made = new Uint8Array(Math.max(bytes.length, at + part.length));
  made.set(bytes);
  made.set(part, at);
  return made;
}

const FIVE = pattern(5 * PAGE, 1);

test("a file that nobody changed takes nothing from the diff [FR-406]", () => {
  using bench = new Bench(FIVE);
  assertBytes(bench.read(), FIVE);
  bench.content.truncate(FIVE.length);
  assert.equal(bench.content.dataId, undefined);
  assert.deepEqual(bench.dataFiles, []);
});

test("whole pages of a data file are written without reading the base [FR-406]", () => {
  using bench = new Bench(FIVE);
  const part = pattern(2 * PAGE, 2);
  bench.write(PAGE, part);
  assert.deepEqual(bench.baseReads(), []);
  assertBytes(bench.read(), patched(FIVE, PAGE, part));
  assert.deepEqual(bench.baseReads(), [`file 0+${PAGE}`, `file ${3 * PAGE}+${2 * PAGE}`]);
  assert(bench.pagesTaken <= 2, "the diff holds what was written, no more");
});

test("a page that is written in part is filled from the base first, once [FR-406]", () => {
  using bench = new Bench(FIVE);
  const part = pattern(100, 2);
  bench.write(PAGE + 50, part);
  assert.deepEqual(bench.baseReads(), [`file ${PAGE}+${PAGE}`]);
  bench.write(PAGE + 300, part);
  assert.deepEqual(bench.baseReads(), []);
  assertBytes(bench.read(), patched(patched(FIVE, PAGE + 50, part), PAGE + 300, part));
});

test("a write across pages fills only its first and its last one [FR-406]", () => {
  using bench = new Bench(FIVE);
  const part = pattern(2 * PAGE + 2, 2);
  bench.write(PAGE - 1, part);
  assert.deepEqual(bench.baseReads(), [`file 0+${PAGE}`, `file ${3 * PAGE}+${PAGE}`]);
  assertBytes(bench.read(), patched(FIVE, PAGE - 1, part));
});

test("the last page of a base file of odd size is filled up to its end [FR-406]", () => {
  const odd = pattern(PAGE + 77, 1);
  using bench = new Bench(odd);
  bench.write(PAGE, pattern(10, 2));
  assert.deepEqual(bench.baseReads(), [`file ${PAGE}+77`]);
  assertBytes(bench.read(), patched(odd, PAGE, pattern(10, 2)));
});

test("growth past the base costs no reads, and holes are zeros [FR-406]", () => {
  using bench = new Bench(FIVE);
  bench.write(7 * PAGE + 5, pattern(10, 2));
  assert.deepEqual(bench.baseReads(), []);
  assertBytes(bench.read(), patched(FIVE, 7 * PAGE + 5, pattern(10, 2)));
});

test("of a page within the file, the diff gets all bytes at once [FR-406]", () => {
  using bench = new Bench(new Uint8Array());
  bench.content.truncate(3 * PAGE);
  bench.write(PAGE + 1, pattern(10, 2));
  assert.equal(Deno.statSync(bench.dataPath).size, 2 * PAGE);
});

test("what was cut off does not come back when the file grows again [FR-406]", () => {
  for (const size of [0, 1, PAGE - 1, PAGE, PAGE + 1, 4 * PAGE + 1]) {
    using bench = new Bench(FIVE);
    bench.content.truncate(size);
    bench.content.truncate(FIVE.length + 1);
    const expected = new Uint8Array(FIVE.length + 1);
    expected.set(FIVE.subarray(0, size));
    assertBytes(bench.read(), expected, `cut to ${size}`);
    bench.reload();
    assertBytes(bench.read(), expected, `cut to ${size}, after a remount`);
  }
});

test("a cut within a page that the diff holds leaves zeros behind it [FR-406]", () => {
  using bench = new Bench(FIVE);
  bench.write(PAGE, pattern(PAGE, 2));
  bench.content.truncate(PAGE + 10);
  bench.content.truncate(2 * PAGE);
  const expected = new Uint8Array(2 * PAGE);
  expected.set(FIVE.subarray(0, PAGE));
  expected.set(pattern(PAGE, 2).subarray(0, 10), PAGE);
  assertBytes(bench.read(), expected);
});

test("punched pages read as zeros, and take no space [FR-406]", () => {
  using bench = new Bench(FIVE);
  bench.content.allocate(3, { offsetBytes: 100, sizeBytes: 3 * PAGE });
  const expected = FIVE.slice();
  expected.fill(0, 100, 100 + 3 * PAGE);
  assertBytes(bench.read(), expected);
  assert(bench.pagesTaken <= 2, "the two that were punched in part");
});

test("fallocate beyond the end grows the file, unless it is to keep its size [FR-406]", () => {
  using bench = new Bench(FIVE);
  bench.content.allocate(1, { offsetBytes: 0, sizeBytes: 9 * PAGE });
  assert.equal(bench.content.sizeBytes, FIVE.length);
  bench.content.allocate(0, { offsetBytes: 6 * PAGE, sizeBytes: 3 });
  assertBytes(bench.read(), patched(FIVE, 6 * PAGE + 2, new Uint8Array(1)));
});

test("when a file grows, its data file reaches the end of the page it ended in [FR-406]", () => {
  const grow: Readonly<Record<string, (content: FileContent) => void>> = {
    truncate: (content) => content.truncate(9 * PAGE),
    fallocate: (content) => content.allocate(0, { offsetBytes: 9 * PAGE - 1, sizeBytes: 1 }),
  };
  for (const [how, change] of Object.entries(grow)) {
    using bench = new Bench(FIVE);
    bench.write(6 * PAGE, pattern(10, 2));
    change(bench.content);
    const { size } = Deno.statSync(bench.dataPath);
    assert.equal(size, 7 * PAGE, `${how}: else a crash could tear what is written there next`);
  }
});

test("other modes of fallocate are refused, and change nothing [FR-406]", () => {
  for (const mode of [2, 8, 9, 32, 64]) {
    using bench = new Bench(FIVE);
    const range = { offsetBytes: 0, sizeBytes: PAGE };
    assert.throws(() => bench.content.allocate(mode, range), { errno: ERRNO.EOPNOTSUPP });
    assert.equal(bench.content.dataId, undefined, `mode ${mode}`);
  }
});

test("a small file that is no data file is copied up, a large one is not [FR-406]", () => {
  {
    using bench = new Bench(pattern(COPY_UP_SIZE_BYTES_MAX, 1), false);
    bench.write(5, pattern(1, 2));
    assert.deepEqual(bench.baseReads(), [`file 0+${COPY_UP_SIZE_BYTES_MAX}`]);
    assertBytes(bench.read(), patched(pattern(COPY_UP_SIZE_BYTES_MAX, 1), 5, pattern(1, 2)));
    assert.deepEqual(bench.baseReads(), []);
  }
  using bench = new Bench(pattern(COPY_UP_SIZE_BYTES_MAX + 1, 1), false);
  bench.write(5, pattern(1, 2));
  assert.deepEqual(bench.baseReads(), [`file 0+${PAGE}`]);
});

test("of a file that is cut when it is copied up, the rest is not read [FR-406]", () => {
  using bench = new Bench(pattern(1000, 1), false);
  bench.content.truncate(10);
  assert.deepEqual(bench.baseReads(), ["file 0+10"]);
  bench.content.truncate(0);
  bench.content.truncate(5);
  assertBytes(bench.read(), new Uint8Array(5));
});

test("a copy-up that fails leaves the file as it is, and no file in the diff [FR-407]", () => {
  using bench = new Bench(pattern(1000, 1), false);
  bench.disk.fault = { call: "pwrite", errno: ERRNO.ENOSPC };
  assert.throws(() => bench.write(0, pattern(10, 2)), { errno: ERRNO.ENOSPC });
  assert.equal(bench.content.dataId, undefined);
  assert.deepEqual(bench.dataFiles, []);
  assertBytes(bench.read(), pattern(1000, 1));
  bench.write(0, pattern(10, 2));
  assertBytes(bench.read(), patched(pattern(1000, 1), 0, pattern(10, 2)));
});

test("a write that fails half-way leaves nothing behind the end [FR-407]", () => {
  const odd = pattern(PAGE + 100, 1);
  using bench = new Bench(odd);
  bench.write(PAGE, pattern(1, 2));
  bench.disk.fault = { call: "pwrite", errno: ERRNO.ENOSPC };
  assert.throws(() => bench.write(PAGE + 50, pattern(1000, 3)), { errno: ERRNO.ENOSPC });
  assert.equal(bench.content.sizeBytes, odd.length);
  bench.content.truncate(3 * PAGE);
  assertBytes(bench.read(odd.length), new Uint8Array(3 * PAGE - odd.length));
});

test("a write that fails in a page that the diff lacks leaves the base's page [FR-407]", () => {
  using bench = new Bench(FIVE);
  bench.disk.fault = { call: "pwrite", errno: ERRNO.ENOSPC };
  assert.throws(() => bench.write(PAGE, pattern(PAGE, 3)), { errno: ERRNO.ENOSPC });
  assertBytes(bench.read(), FIVE);
  bench.disk.fault = { call: "pwrite", errno: ERRNO.ENOSPC };
  assert.throws(() => bench.write(6 * PAGE, pattern(PAGE, 3)), { errno: ERRNO.ENOSPC });
  bench.write(6 * PAGE + 10, pattern(1, 4));
  assertBytes(bench.read(), patched(FIVE, 6 * PAGE + 10, pattern(1, 4)), "no trace of it");
});

test("a file of the base cannot grow beyond what a page map can tell [FR-407]", () => {
  using bench = new Bench(FIVE);
  const tooFar = { offsetBytes: 2 ** 50, sizeBytes: PAGE };
  const refused = { errno: ERRNO.EFBIG };
  assert.throws(() => bench.content.truncate(2 ** 50), refused);
  assert.throws(() => bench.content.allocate(0, tooFar), refused);
  assert.throws(() => bench.content.write(addressOf(FIVE), tooFar), refused);
  assertBytes(bench.read(), FIVE);
  bench.content.truncate(2 ** 43);
  assert.equal(bench.read(2 ** 43 - 5, 10).length, 5);
});

test("what an earlier process wrote behind the end, and nobody committed, is not seen [FR-408]", () => {
  using bench = new Bench(pattern(PAGE + 100, 1));
  bench.write(PAGE, pattern(10, 2));
  const records = bench.content.takeRecords(INO);
  bench.write(PAGE + 100, pattern(500, 3)); // Not committed.
  assert(records !== undefined);
  bench.reload();
  bench.content.restore(records.content);
  for (const page of records.pages) bench.content.setPages(page);
  bench.content.truncate(2 * PAGE);
  const expected = new Uint8Array(PAGE - 100);
  assertBytes(bench.read(PAGE + 100), expected);
});

test("holes of a file are what neither the diff holds nor the base has stored [FR-472]", () => {
  const bytes = pattern(6 * PAGE, 1);
  bytes.fill(0, PAGE, 3 * PAGE);
  using bench = new Bench(bytes);
  const data = () => {
    const found: number[][] = [];
    for (let at = 0;;) {
      const from = bench.content.seek(at, "data").offsetBytes;
      if (from === undefined) return found;
      at = bench.content.seek(from, "hole").offsetBytes as number;
      found.push([from / PAGE, at / PAGE]);
    }
  };
  const all = { emptyFromBytes: 6 * PAGE, emptyEndBytes: Infinity };
  assert.deepEqual(data(), [[0, 1], [3, 6]], "as the base has it");
  assert.deepEqual(bench.content.seek(PAGE + 5, "hole"), {
    ...{ offsetBytes: PAGE + 5, emptyFromBytes: PAGE + 5, emptyEndBytes: 3 * PAGE },
  });
  assert.deepEqual(bench.content.seek(3 * PAGE, "hole"), { offsetBytes: 6 * PAGE, ...all });
  assert.deepEqual(bench.content.seek(6 * PAGE, "data"), { offsetBytes: undefined, ...all });
  bench.write(2 * PAGE + 10, pattern(10, 2));
  assert.deepEqual(data(), [[0, 1], [2, 6]], "with a page of the diff");
  bench.content.allocate(3, { offsetBytes: 3 * PAGE, sizeBytes: 2 * PAGE });
  assert.deepEqual(data(), [[0, 1], [2, 3], [5, 6]], "punched");
  bench.content.truncate(20 * PAGE);
  bench.write(10 * PAGE, pattern(PAGE, 3));
  assert.deepEqual(data(), [[0, 1], [2, 3], [5, 6], [10, 11]], "grown");
  bench.content.truncate(PAGE / 2);
  bench.content.truncate(20 * PAGE);
  assert.deepEqual(data(), [[0, 0.5]], "cut, the base does not come back");
});

test("space is what the diff takes, and what shows of the base [FR-472]", () => {
  using bench = new Bench(pattern(6 * PAGE, 1));
  const pages = () => bench.content.blocks512 * 512 / PAGE;
  assert.equal(pages(), 6);
  bench.write(PAGE, pattern(PAGE, 2));
  assert.equal(pages(), 6, "a page of the diff instead of one of the base");
  bench.write(10 * PAGE, pattern(PAGE, 2));
  assert.equal(pages(), 7);
  bench.content.allocate(3, { offsetBytes: 0, sizeBytes: 4 * PAGE });
  assert.equal(pages(), 3, "punched");
  bench.reload();
  assert.equal(pages(), 3, "the same after a remount");
  bench.content.truncate(2 * PAGE);
  bench.content.takeRecords(INO);
  bench.content.reclaim(0);
  assert.equal(pages(), 0);
});

test("a page at the end of the longest file takes little memory, and little time [FR-470]", () => {
  using bench = new Bench(pattern(2 * PAGE, 1));
  bench.content.truncate(FILE_SIZE_BYTES_MAX);
  bench.write(FILE_SIZE_BYTES_MAX - 10, pattern(10, 2));
  bench.content.allocate(3, { offsetBytes: PAGE, sizeBytes: FILE_SIZE_BYTES_MAX - 2 * PAGE });
  const records = bench.content.takeRecords(INO);
  assert.equal(records?.pages.length, 2, "parts of the page map");
  assertBytes(
    bench.read(FILE_SIZE_BYTES_MAX - 20, 100),
    Uint8Array.of(
      ...new Uint8Array(10),
      ...pattern(10, 2),
    ),
  );
  assert.equal(bench.content.seek(PAGE, "data").offsetBytes, FILE_SIZE_BYTES_MAX - PAGE);
});
