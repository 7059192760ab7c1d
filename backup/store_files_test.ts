import assert from "node:assert/strict";
import type { ByteString } from "../ffi/bytes.ts";
import { type Fd, type Libc, OPEN, systemLibc } from "../ffi/libc.ts";
import { PbkfsError } from "../errors.ts";
import { newCounters } from "./counters.ts";
import { type StoredFile, StoreFiles } from "./store_files.ts";

/** A C library that only opens and closes, and keeps account. */
function accounting() {
  const open = new Map<number, string>();
  const flags = new Set<number>();
  let next = 100;
  const libc = {
    ...systemLibc(),
    open(path: ByteString, flag: number) {
      flags.add(flag);
      open.set(next, path);
      return next++ as Fd;
    },
    close(fd: Fd) {
      assert(open.delete(fd), "closed twice");
    },
    fstat: () => ({ mode: 0o100600, sizeBytes: 10 }),
  } as unknown as Libc;
  return { libc, open, flags };
}

function file(key: number, sizeBytes = 10): StoredFile {
  const path = `/store/${key}` as ByteString;
  return { key, path, sizeBytes, of: { path, backupId: "QX1" } };
}

Deno.test("FR-134 the store is opened for reading only, a bounded number of files at a time", () => {
  const { libc, open, flags } = accounting();
  const files = new StoreFiles(libc, newCounters(), 3);
  for (const key of [1, 2, 3, 1, 4, 5]) {
    files.unpin();
    files.descriptor(file(key));
  }
  assert.deepEqual([...open.values()].toSorted(), ["/store/1", "/store/4", "/store/5"]);
  assert.deepEqual([...flags], [OPEN.readOnly]);
  files.close();
  assert.equal(open.size, 0);
});

Deno.test("FR-134 a plan keeps its descriptors, even more of them than the bound", () => {
  const { libc, open } = accounting();
  const files = new StoreFiles(libc, newCounters(), 2);
  files.unpin();
  const descriptors = [1, 2, 3, 4].map((key) => files.descriptor(file(key)));
  assert.deepEqual([...open.keys()], descriptors);
  assert.equal(files.descriptor(file(1)), descriptors[0]);
  files.unpin();
  files.descriptor(file(5));
  assert.equal(open.size, 2);
  files.close();
});

Deno.test("FR-134 a stored file of another size is damage, and is closed again", () => {
  const { libc, open } = accounting();
  const files = new StoreFiles(libc, newCounters(), 2);
  assert.throws(() => files.descriptor(file(1, 11)), (error) => {
    assert(error instanceof PbkfsError);
    assert.equal(error.code, "StoreDamaged");
    assert.match(error.message, /"\/store\/1".*QX1.* 10 bytes.* 11/);
    return true;
  });
  assert.equal(open.size, 0);
});

Deno.test("FR-134 a missing stored file is damage; no permission and no descriptors are not", () => {
  const codes = {
    2: "StoreDamaged",
    20: "StoreDamaged",
    13: "PermissionDenied",
    24: "Io",
    5: "Io",
  };
  for (const [errno, code] of Object.entries(codes)) {
    const { libc } = accounting();
    const failing = {
      ...libc,
      open: () => {
        throw new PbkfsError("Io", { what: "open of x failed", errno: Number(errno) });
      },
    };
    const files = new StoreFiles(failing, newCounters(), 2);
    assert.throws(() => files.descriptor(file(1)), { code });
  }
});
