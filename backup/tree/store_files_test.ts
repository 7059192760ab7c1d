import assert from "node:assert/strict";
import type { ByteString } from "../../ffi/bytes.ts";
import { type Fd, type FileStatus, systemLibc } from "../../ffi/libc.ts";
import type { OpenedFile } from "../../ffi/open_beneath.ts";
import { PbkfsError } from "../../errors.ts";
import { newStoreCounters } from "./store_counters.ts";
import { type StoredFile, StoreFiles } from "./store_files.ts";

/** A store that keeps account of what is open. */
function accounting() {
  const open = new Map<number, string>();
  let next = 100;
  const store = {
    open(path: ByteString): OpenedFile {
      open.set(next, path);
      return { fd: next++ as Fd, status: { sizeBytes: 10 } as FileStatus };
    },
    close() {},
  };
  const libc = {
    ...systemLibc(),
    close(fd: Fd) {
      assert(open.delete(fd), "closed twice");
    },
  };
  return { store, libc, open };
}

function file(key: number, sizeBytes = 10): StoredFile {
  const path = `/store/${key}` as ByteString;
  return { key, path, sizeBytes, of: { path, backupId: "QX1" } };
}

Deno.test("the store is opened for reading only, a bounded number of files at a time [FR-134]", () => {
  const { store, libc, open } = accounting();
  const files = new StoreFiles(store, libc, newStoreCounters(), 3);
  for (const key of [1, 2, 3, 1, 4, 5]) {
    files.unpin();
    files.descriptor(file(key));
  }
  assert.deepEqual([...open.values()].toSorted(), ["/store/1", "/store/4", "/store/5"]);
  files.close();
  assert.equal(open.size, 0);
});

Deno.test("a plan keeps its descriptors, even more of them than the bound [FR-134]", () => {
  const { store, libc, open } = accounting();
  const files = new StoreFiles(store, libc, newStoreCounters(), 2);
  files.unpin();
  const descriptors = [1, 2, 3, 4].map((key) => files.descriptor(file(key)));
  assert.deepEqual([...open.keys()], descriptors);
  assert.equal(files.descriptor(file(1)), descriptors[0]);
  files.unpin();
  files.descriptor(file(5));
  assert.equal(open.size, 2);
  files.close();
});

Deno.test("a stored file of another size is damage, and is closed again [FR-134]", () => {
  const { store, libc, open } = accounting();
  const files = new StoreFiles(store, libc, newStoreCounters(), 2);
  assert.throws(() => files.descriptor(file(1, 11)), (error) => {
    assert(error instanceof PbkfsError);
    assert.equal(error.code, "StoreDamaged");
    assert.match(error.message, /"\/store\/1".*QX1.* 10 bytes.* 11/);
    return true;
  });
  assert.equal(open.size, 0);
});

Deno.test("a missing stored file is damage; no permission and no descriptors are not [FR-134]", () => {
  const codes = {
    2: "StoreDamaged",
    20: "StoreDamaged",
    13: "PermissionDenied",
    24: "Io",
    5: "Io",
  };
  for (const [errno, code] of Object.entries(codes)) {
    const { store, libc } = accounting();
    const failing = {
      ...store,
      open: () => {
        throw new PbkfsError("Io", { what: "open of x failed", errno: Number(errno) });
      },
    };
    const files = new StoreFiles(failing, libc, newStoreCounters(), 2);
    assert.throws(() => files.descriptor(file(1)), { code });
  }
});
