import assert from "node:assert/strict";
import fc from "fast-check";
import type { EntryIndex } from "../../backup/mod.ts";
import { byteStringOf } from "../../ffi/bytes.ts";
import { systemLibc } from "../../ffi/libc.ts";
import { addressOf, allocate } from "../../ffi/memory.ts";
import { FakeBase, pattern } from "../../testing/overlay/fake_base.ts";
import { assertBytes } from "../../testing/overlay/model.ts";
import { READ_SIZE_BYTES_MAX, Reading } from "../../testing/overlay/reading.ts";
import { baseFiles } from "../content/base_files.ts";
import { FileContent } from "../content/file_content.ts";
import { DataFiles } from "../data/data_files.ts";
import type { DataId } from "../store/metadata_store.ts";

const PAGE = 8192;
const PAGES = 100;

Deno.test("a read gives the same bytes by workers, without them, and for ourselves [FR-970]", () => {
  const directory = Deno.makeTempDirSync({ prefix: "pbkfs-test-" });
  const libc = systemLibc();
  const data = new DataFiles({ libc, directory: byteStringOf(directory) });
  const [alone, divided] = [false, true].map((workers) => new Reading({ libc, workers }));
  assert(alone !== undefined && divided !== undefined);
  const bytes = pattern(PAGES * PAGE, 1);
  const base = new FakeBase({ file: { kind: "file", isDataFile: true, bytes } });
  const content = new FileContent(
    { libc, data, reads: alone.engine, newDataId: () => 1 as DataId, keepsLengths: true },
    baseFiles(base)(0 as EntryIndex),
  );
  // Pages of the diff among those of the base, and behind them nothing.
  const expected = new Uint8Array((PAGES + 20) * PAGE);
  expected.set(bytes);
  for (const [at, page] of [0, 1, 41, 42, PAGES + 3].entries()) {
    const part = pattern(PAGE, 2 + at);
    content.write(addressOf(part), { offsetBytes: page * PAGE, sizeBytes: PAGE });
    expected.set(part, page * PAGE);
  }
  content.truncate(expected.length);
  const target = allocate(READ_SIZE_BYTES_MAX);
  try {
    fc.assert(
      fc.property(
        fc.nat(expected.length),
        fc.nat(READ_SIZE_BYTES_MAX),
        (offsetBytes, sizeBytes) => {
          const plan = () => content.plan({ offsetBytes, sizeBytes });
          const wanted = expected.subarray(offsetBytes, offsetBytes + sizeBytes);
          assertBytes(alone.plan(plan()), wanted, "without workers");
          assertBytes(divided.plan(plan()), wanted, "with workers");
          assertBytes(target.bytes.subarray(0, alone.engine.read(plan(), target)), wanted, "here");
        },
      ),
      { numRuns: 100 },
    );
    const { handedOver } = divided;
    divided.plan(content.plan({ offsetBytes: 0, sizeBytes: READ_SIZE_BYTES_MAX }));
    assert.equal(divided.handedOver, handedOver + 1, "a large read always goes to workers");
    assert.equal(alone.handedOver, 0);
  } finally {
    for (const reading of [alone, divided]) reading.close();
    data.close();
    base.close();
    Deno.removeSync(directory, { recursive: true });
  }
});

Deno.test("records of 64 KiB are read right here and by workers, from any place to any other [FR-991]", () => {
  const libc = systemLibc();
  const [alone, divided] = [false, true].map((workers) => new Reading({ libc, workers }));
  assert(alone !== undefined && divided !== undefined);
  const bytes = pattern(20 * 65_536 + 77, 1);
  const base = new FakeBase({ file: { kind: "file", isDataFile: false, bytes } });
  const plan = (offsetBytes: number, sizeBytes: number) =>
    base.planRead(0 as EntryIndex, {
      offsetBytes,
      sizeBytes: Math.min(sizeBytes, bytes.length - offsetBytes),
    });
  try {
    const records = plan(0, bytes.length).filter((piece) => piece.in === "record");
    assert.equal(records[0]?.decodedSizeBytes, 65_536);
    assert.equal(records.at(-1)?.decodedSizeBytes, 77);
    fc.assert(
      fc.property(fc.nat(bytes.length), fc.nat(READ_SIZE_BYTES_MAX), (offsetBytes, sizeBytes) => {
        const wanted = bytes.subarray(offsetBytes, offsetBytes + sizeBytes);
        assertBytes(alone.plan(plan(offsetBytes, sizeBytes)), wanted, "without workers");
        assertBytes(divided.plan(plan(offsetBytes, sizeBytes)), wanted, "with workers");
      }),
      { numRuns: 50 },
    );
    const { handedOver } = divided;
    divided.plan(plan(0, READ_SIZE_BYTES_MAX));
    assert.equal(divided.handedOver, handedOver + 1, "they are as much work as their pages");
  } finally {
    for (const reading of [alone, divided]) reading.close();
    base.close();
  }
});

Deno.test("a read that was handed over gives what the file held, though it is let go of [FR-970]", () => {
  const directory = Deno.makeTempDirSync({ prefix: "pbkfs-test-" });
  const libc = systemLibc();
  const data = new DataFiles({ libc, directory: byteStringOf(directory) });
  const reading = new Reading({ libc, workers: true });
  const context = {
    libc,
    data,
    reads: reading.engine,
    newDataId: () => 1 as DataId,
    keepsLengths: true,
  };
  const content = FileContent.create(context);
  const part = pattern(PAGE, 1);
  const range = { offsetBytes: 0, sizeBytes: PAGE };
  content.write(addressOf(part), range);
  try {
    const bytes = reading.request((target, request) => {
      const done = reading.engine.serve(content.plan(range), target, request);
      data.discard(1 as DataId); // Its descriptor is closed before a worker has begun.
      return done;
    });
    assert.equal(reading.handedOver, 1);
    assertBytes(bytes, part);
  } finally {
    reading.close();
    data.close();
    Deno.removeSync(directory, { recursive: true });
  }
});
