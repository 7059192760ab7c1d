/** What no file can be: longer than the limit, or than any number that we count with. */

import assert from "node:assert/strict";
import { byteStringOf } from "../../ffi/bytes.ts";
import {
  fallocate,
  fsync,
  ftruncate,
  lstat,
  PosixError,
  pread,
  pwrite,
  withFile,
} from "../support/posix.ts";
import { Scene } from "../support/scene.ts";
import { mountObstacle, testUnless } from "../support/skip.ts";
import { TempDir } from "../support/temp_dir.ts";
import { assertBytes, fill, O, refuses } from "./place.ts";

const b = byteStringOf;
/** ext4's limit, with blocks of 4 KiB, is the last block before this. */
const LIMIT = 2n ** 44n;
const SIZES = [LIMIT, LIMIT + 1n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 63n - 1n];
const MODES = [0, 1, 3, 16, 17];

/** Truncates and reserves what cannot be; all of it is refused, and nothing changes. */
function refuseSizes(path: string): void {
  const { sizeBytes } = lstat(b(path));
  withFile(b(path), O.readWrite, (fd) => {
    for (const size of SIZES) {
      refuses("EFBIG", () => ftruncate(fd, size));
      for (const mode of MODES) {
        refuses("EFBIG", () => fallocate(fd, mode, 0, size));
        refuses("EFBIG", () => fallocate(fd, mode, size - 1n, 1));
        refuses("EFBIG", () => fallocate(fd, mode, size - 4096n, 4096));
      }
    }
  });
  assert.equal(lstat(b(path)).sizeBytes, sizeBytes, path);
}

/** Whether the file system of a directory has the limit that we have. */
function hasLimit(dirPath: string): boolean {
  return withFile(b(`${dirPath}/probe`), O.create | O.readWrite, (fd) => {
    try {
      ftruncate(fd, LIMIT);
      return false;
    } catch (error) {
      return error instanceof PosixError;
    } finally {
      ftruncate(fd, 0);
    }
  });
}

testUnless(
  mountObstacle(),
  "a size beyond 16 TiB, or beyond what is counted exactly, is refused at once with EFBIG [FR-470]",
  async () => {
    await using dir = await TempDir.make();
    Deno.writeFileSync(`${dir.path}/plain`, fill(20_000));
    // The same on a plain directory first, where that has the limit.
    if (hasLimit(dir.path)) refuseSizes(`${dir.path}/plain`);
    const owner = { uid: Deno.uid() ?? 0, gid: Deno.gid() ?? 0 };
    await using scene = await Scene.open({ fixture: "zlib-chain", owner });
    await using mount = await scene.mount("TOTL9U");
    const [made, paged, small] = ["new", "base/1/1255", "PG_VERSION"]
      .map((name) => `${scene.mountDir}/${name}`) as [string, string, string];
    Deno.writeFileSync(made, fill(20_000));
    const before = [made, paged, small].map((path) => Deno.readFileSync(path));
    for (const path of [made, paged, small]) refuseSizes(path);
    // The longest that there can be.
    for (const path of [made, paged]) {
      const { sizeBytes } = lstat(b(path));
      withFile(b(path), O.readWrite, (fd) => {
        ftruncate(fd, LIMIT - 8192n);
        pwrite(fd, fill(10), LIMIT - 8202n);
        fsync(fd);
        assertBytes(pread(fd, 20, Number(LIMIT) - 8202), fill(10));
        fallocate(fd, 3, 8192 * 1000, LIMIT - 8192n * 1001n);
        ftruncate(fd, sizeBytes);
      });
    }
    await mount.unmount();
    await using _again = await scene.mount("TOTL9U");
    [made, paged, small].forEach((path, at) =>
      assertBytes(Deno.readFileSync(path), before[at] as Uint8Array, path)
    );
  },
);

for (const without of ["", "write_back"]) {
  testUnless(
    mountObstacle(),
    "a write beyond 16 TiB fails with EFBIG: at once, or, if the kernel has gathered it, " +
      `when it is synced; nothing of it is stored${without && `, without ${without}`} [FR-471]`,
    async () => {
      const owner = { uid: Deno.uid() ?? 0, gid: Deno.gid() ?? 0 };
      await using scene = await Scene.open({ fixture: "zlib-chain", owner });
      const env = { PBKFS_WITHOUT: without };
      await using mount = await scene.mount("TOTL9U", { env });
      const [made, paged] = ["new", "base/1/1255"].map((name) => `${scene.mountDir}/${name}`);
      Deno.writeFileSync(made!, fill(20_000));
      for (const path of [made!, paged!]) {
        const before = Deno.readFileSync(path);
        for (const at of [LIMIT, LIMIT + 4096n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 62n]) {
          withFile(b(path), O.readWrite, (fd) => {
            refuses("EFBIG", () => {
              pwrite(fd, fill(100), at);
              fsync(fd);
            });
            if (without === "write_back") assert.equal(lstat(b(path)).sizeBytes, before.length);
            // The kernel believes in the length that it has accepted, until it is told another.
            ftruncate(fd, before.length);
            fsync(fd);
            assertBytes(pread(fd, before.length + 1, 0), before);
          });
        }
      }
      const before = [made!, paged!].map((path) => Deno.readFileSync(path));
      await mount.unmount();
      await using _again = await scene.mount("TOTL9U");
      [made!, paged!].forEach((path, at) =>
        assertBytes(Deno.readFileSync(path), before[at] as Uint8Array, path)
      );
    },
  );
}
