/**
 * What files hold: reads, writes, sizes, holes, mappings, copies, locks.
 *
 * @module
 */

import assert from "node:assert/strict";
import { byteStringOf } from "../../ffi/bytes.ts";
import {
  close,
  copyFileRange,
  fallocate,
  fdatasync,
  flock,
  fstat,
  fsync,
  ftruncate,
  lockRange,
  lstat,
  map,
  open,
  pread,
  pwrite,
  seek,
  statvfs,
  unlink,
  withFile,
  write,
} from "../support/posix.ts";
import { checkHoles } from "./extents.ts";
import { assertBytes, fill, O, type Place, refuses, sync } from "./place.ts";

const b = byteStringOf;
const KEEP_SIZE = 1;
const PUNCH_HOLE = 2;
const ZERO_RANGE = 16;

function patched(bytes: Uint8Array, at: number, part: Uint8Array): Uint8Array {
  const made = new Uint8Array(Math.max(bytes.length, at + part.length));
  made.set(bytes);
  made.set(part, at);
  return made;
}

/** A new file and one that was there before, both with the same bytes. */
function twoFiles(place: Place): { paths: string[]; bytes: Uint8Array } {
  const { large } = place.takeBase();
  const bytes = Deno.readFileSync(large);
  return { paths: [place.file("new", bytes), large], bytes };
}

/** Runs a script of the shell; its arguments are `$0`, `$1` and so on. */
function run(script: string, args: string[]): void {
  const { success, stderr } = new Deno.Command("sh", { args: ["-c", script, ...args] })
    .outputSync();
  assert(success, new TextDecoder().decode(stderr));
}

/** By what they promise. */
export const CONTENT_BEHAVIOURS: Readonly<Record<string, (place: Place) => void>> = {
  "O_TRUNC empties a file"(place) {
    const { paths } = twoFiles(place);
    for (const path of paths) {
      close(open(b(path), O.write | O.truncate));
      assert.equal(lstat(b(path)).sizeBytes, 0);
      Deno.truncateSync(path, 100);
      assertBytes(Deno.readFileSync(path), new Uint8Array(100));
    }
  },

  "O_APPEND writes at the end, whoever has written before"(place) {
    const { paths, bytes } = twoFiles(place);
    for (const path of paths) {
      const [first, second] = [O.append | O.write, O.append | O.readWrite]
        .map((flags) => open(b(path), flags)) as [number, number];
      write(first, fill(3));
      write(second, fill(5));
      write(first, fill(7));
      assert.equal(lstat(b(path)).sizeBytes, bytes.length + 15);
      close(first);
      fsync(second);
      write(second, fill(1));
      close(second);
      const all = Deno.readFileSync(path);
      assertBytes(
        all.subarray(bytes.length),
        new Uint8Array([
          ...fill(3),
          ...fill(5),
          ...fill(7),
          ...fill(1),
        ]),
      );
    }
  },

  "writes of any size and place are read back"(place) {
    const { paths, bytes } = twoFiles(place);
    for (const path of paths) {
      let expected: Uint8Array = bytes;
      withFile(b(path), O.readWrite, (fd) => {
        const writes = [[0, 1], [8191, 2], [4096, 4096], [8192, 8192], [100, 30_000], [12_345, 0]];
        for (
          const [at = 0, size = 0] of [...writes, [bytes.length - 1, 20], [bytes.length + 9, 1]]
        ) {
          assert.equal(pwrite(fd, fill(size, at), at), size);
          if (size > 0) expected = patched(expected, at, fill(size, at));
          assertBytes(pread(fd, expected.length + 10, 0), expected);
        }
      });
      assertBytes(Deno.readFileSync(path), expected);
    }
  },

  "truncation cuts for good, and growth adds zeros"(place) {
    const { paths, bytes } = twoFiles(place);
    for (const path of paths) {
      let expected: Uint8Array = bytes;
      for (const size of [bytes.length - 1, 10_000, 20_000, 8192, 8193, 5, 0, 3, bytes.length]) {
        Deno.truncateSync(path, size);
        const next = new Uint8Array(size);
        next.set(expected.subarray(0, size));
        expected = next;
        assertBytes(Deno.readFileSync(path), expected, `${size}`);
      }
    }
    withFile(
      b(paths[0] as string),
      O.readWrite,
      (fd) => refuses("EINVAL", () => ftruncate(fd, -1)),
    );
  },

  "fallocate reserves, keeps the size, punches and zeroes; other modes are refused"(place) {
    const { paths, bytes } = twoFiles(place);
    for (const path of paths) {
      withFile(b(path), O.readWrite, (fd) => {
        fallocate(fd, KEEP_SIZE, 0, bytes.length + 50_000);
        assertBytes(pread(fd, bytes.length + 10, 0), bytes);
        let expected: Uint8Array = patched(bytes, bytes.length, new Uint8Array(20_000));
        fallocate(fd, 0, bytes.length - 10, 20_010);
        assertBytes(pread(fd, expected.length + 10, 0), expected);
        fallocate(fd, PUNCH_HOLE | KEEP_SIZE, 5000, 15_000);
        expected = patched(expected, 5000, new Uint8Array(15_000));
        fallocate(fd, ZERO_RANGE | KEEP_SIZE, 1, 10);
        expected = patched(expected, 1, new Uint8Array(10));
        assertBytes(pread(fd, expected.length + 10, 0), expected);
        fallocate(fd, ZERO_RANGE, expected.length - 1, 101);
        expected = patched(expected, expected.length - 1, new Uint8Array(101));
        assertBytes(pread(fd, expected.length + 10, 0), expected);
        refuses("EOPNOTSUPP", () => fallocate(fd, PUNCH_HOLE, 0, 8192));
        refuses("EINVAL", () => fallocate(fd, 0, 0, 0));
        refuses("EINVAL", () => fallocate(fd, 0, -1, 10));
      });
      withFile(b(path), O.read, (fd) => refuses("EBADF", () => fallocate(fd, 0, 0, 10)));
    }
  },

  "a file with holes, longer than 4 GiB, has its bytes where they were written"(place) {
    const places = [0, 2 ** 31 - 2, 2 ** 32 - 1, 2 ** 32 + 8191, 5 * 2 ** 32 + 3];
    withFile(place.bytes("sparse"), O.create | O.readWrite, (fd) => {
      for (const at of places) pwrite(fd, fill(3, at % 200), at);
      fsync(fd);
      for (const at of places) assertBytes(pread(fd, 3, at), fill(3, at % 200), `${at}`);
      assertBytes(pread(fd, 100, 2 ** 32 + 100), new Uint8Array(100));
      assert.equal(lstat(place.bytes("sparse")).sizeBytes, 5 * 2 ** 32 + 6);
      const data = seek(fd, 2 ** 31, 3);
      assert(data >= 2 ** 31 && data <= 2 ** 32 - 1, `SEEK_DATA: ${data}`);
      const hole = seek(fd, 0, 4);
      assert(hole > 0 && hole <= 5 * 2 ** 32 + 6, `SEEK_HOLE: ${hole}`);
      ftruncate(fd, 2 ** 32);
      assert.equal(pread(fd, 10, 2 ** 32 - 1).length, 1);
      ftruncate(fd, 6 * 2 ** 32);
      assertBytes(pread(fd, 3, 5 * 2 ** 32 + 3), new Uint8Array(3));
    });
    unlink(place.bytes("sparse"));
  },

  "holes are told, and nothing that was written is one, synced or not"(place) {
    const { paths, bytes } = twoFiles(place);
    for (const path of paths) {
      withFile(b(path), O.readWrite, (fd) => {
        const far = 4 << 20;
        const isIn = (at: number) => checkHoles(fd).some(([from, end]) => from <= at && at < end);
        assert(isIn(0) && isIn(bytes.length - 1));
        ftruncate(fd, far);
        assert(!isIn(far >> 1) && !isIn(far - 1));
        for (const at of [far >> 1, far - 1, far + (1 << 20)]) {
          pwrite(fd, fill(1), at);
          assert(isIn(at), `${at}, not synced`);
          assert(!isIn(at - (1 << 19)));
        }
        fsync(fd);
        assert(isIn(far >> 1) && isIn(far - 1) && !isIn(far >> 2));
        assert.equal(seek(fd, far + (1 << 20), 4), far + (1 << 20) + 1, "the end is a hole");
        refuses("ENXIO", () => seek(fd, far + (1 << 20) + 1, 4));
        refuses("ENXIO", () => seek(fd, 2 ** 50, 3));
        fallocate(fd, PUNCH_HOLE | KEEP_SIZE, 0, far);
        assert(!isIn(0) && !isIn(far >> 1) && isIn(far + (1 << 20)));
        const mapping = map(fd, far, true);
        mapping.bytes[far >> 2] = 1;
        assert(isIn(far >> 2), "written through a mapping");
        mapping.unmap();
        ftruncate(fd, 5);
        assert(checkHoles(fd).every(([from]) => from === 0));
        ftruncate(fd, 0);
        assert.deepEqual(checkHoles(fd), []);
      });
    }
  },

  "du counts what is there, and tar and cp leave out nothing else"(place) {
    const { paths } = twoFiles(place);
    for (const path of paths) {
      const size = 40 << 20;
      withFile(b(path), O.readWrite, (fd) => {
        ftruncate(fd, 0);
        pwrite(fd, fill(8192), 10 << 20);
        fsync(fd);
        ftruncate(fd, size);
        const taken = () => fstat(fd).blocks512 * 512;
        assert(taken() >= 8192 && taken() < 1 << 20, `${taken()} bytes taken`);
        fallocate(fd, 0, 0, 4 << 20);
        assert(taken() >= (4 << 20) + 8192 && taken() < 5 << 20, `${taken()} bytes taken`);
        fallocate(fd, PUNCH_HOLE | KEEP_SIZE, 0, 2 << 20);
        assert(taken() >= (2 << 20) + 8192 && taken() < 3 << 20, `${taken()} bytes taken`);
        // Not handed on by the kernel when the copies begin.
        pwrite(fd, fill(5000), 30 << 20);
        const copies = `${place.dirPath}/copies`;
        Deno.mkdirSync(copies);
        run(
          `cp --sparse=auto "$0" "$1/copied" && tar -cSf "$1/tar" -C "$(dirname "$0")" \
          "$(basename "$0")" && mkdir "$1/t" && tar -xf "$1/tar" -C "$1/t"`,
          [path, copies],
        );
        const name = path.slice(path.lastIndexOf("/") + 1);
        assert(lstat(b(`${copies}/tar`)).sizeBytes < 8 << 20);
        for (const copy of [`${copies}/copied`, `${copies}/t/${name}`]) {
          withFile(b(copy), O.read, (made) => {
            assert.equal(fstat(made).sizeBytes, size);
            assertBytes(pread(made, 8192, 10 << 20), fill(8192));
            assertBytes(pread(made, 5000, 30 << 20), fill(5000));
            fsync(made);
            assert(fstat(made).blocks512 * 512 < 8 << 20);
          });
        }
        Deno.removeSync(copies, { recursive: true });
      });
      unlink(b(path));
    }
  },

  "a file that was there before grows beyond 1 GiB and is cut again"(place) {
    const { large } = place.takeBase();
    const bytes = Deno.readFileSync(large);
    withFile(b(large), O.readWrite, (fd) => {
      pwrite(fd, fill(10_000), 2 ** 30 + 5);
      assertBytes(pread(fd, 10_000, 2 ** 30 + 5), fill(10_000));
      assertBytes(pread(fd, bytes.length, 0), bytes);
      assertBytes(pread(fd, 9000, 2 ** 29), new Uint8Array(9000));
      fsync(fd);
      ftruncate(fd, 2 ** 30 + 6);
      ftruncate(fd, 9000);
      ftruncate(fd, 2 ** 30 + 100);
      assertBytes(pread(fd, 95, 2 ** 30 + 5), new Uint8Array(95));
      assertBytes(pread(fd, 9000, 0), bytes.subarray(0, 9000));
      assertBytes(pread(fd, 9000, 9000), new Uint8Array(9000));
      ftruncate(fd, 0);
    });
  },

  "a shared mapping and reads see each other's changes, and they last"(place) {
    const { paths, bytes } = twoFiles(place);
    for (const path of paths) {
      const size = 3 * 8192;
      withFile(b(path), O.readWrite, (fd) => {
        const mapping = map(fd, size, true);
        assertBytes(mapping.bytes.slice(), bytes.slice(0, size));
        mapping.bytes.set(fill(20), 8190);
        assertBytes(pread(fd, 20, 8190), fill(20));
        pwrite(fd, fill(5, 9), 100);
        assertBytes(mapping.bytes.slice(100, 105), fill(5, 9));
        mapping.sync();
        mapping.bytes.set(fill(7, 3), 20_000); // Not synced, only unmapped.
        mapping.unmap();
      });
      const expected = [[8190, fill(20)], [100, fill(5, 9)], [20_000, fill(7, 3)]] as const;
      assertBytes(
        Deno.readFileSync(path),
        expected.reduce((whole: Uint8Array, [at, part]) => patched(whole, at, part), bytes),
      );
    }
  },

  "changes of a private mapping stay private"(place) {
    const { paths, bytes } = twoFiles(place);
    for (const path of paths) {
      withFile(b(path), O.read, (fd) => {
        const mapping = map(fd, 8192, false);
        mapping.bytes.fill(0);
        assertBytes(pread(fd, 8192, 0), bytes.subarray(0, 8192));
        mapping.unmap();
      });
      assertBytes(Deno.readFileSync(path), bytes);
    }
  },

  "copy_file_range copies within and between files"(place) {
    const { paths: [made = "", before = ""], bytes } = twoFiles(place);
    withFile(b(before), O.read, (from) =>
      withFile(b(made), O.readWrite, (to) => {
        seek(from, 100, 0);
        seek(to, 5000, 0);
        let left = 20_000;
        while (left > 0) left -= copyFileRange(from, to, left);
      }));
    assertBytes(Deno.readFileSync(made), patched(bytes, 5000, bytes.slice(100, 20_100)));
    withFile(b(made), O.read, (from) =>
      withFile(b(before), O.readWrite, (to) => {
        seek(to, bytes.length - 5, 0);
        assert.equal(copyFileRange(from, to, 10), 10);
      }));
    assertBytes(Deno.readFileSync(before), patched(bytes, bytes.length - 5, bytes.slice(0, 10)));
  },

  "flock and range locks keep others out"(place) {
    const path = b(place.file("f", fill(1000)));
    withFile(path, O.readWrite, (first) =>
      withFile(path, O.readWrite, (second) => {
        assert(flock(first, "shared"));
        assert(flock(second, "shared"));
        assert(!flock(second, "exclusive"));
        flock(first, "unlock");
        assert(flock(second, "exclusive"));
        assert(!flock(first, "shared"));
        flock(second, "unlock");
        assert(lockRange(first, "write", 0, 100));
        assert(lockRange(second, "write", 100, 100));
        assert(!lockRange(second, "read", 50, 10));
        lockRange(first, "unlock", 0, 100);
        assert(lockRange(second, "read", 50, 10));
      }));
  },

  "fsync and fdatasync of files and directories succeed"(place) {
    const { paths } = twoFiles(place);
    for (const path of paths) {
      withFile(b(path), O.readWrite, (fd) => {
        fsync(fd);
        pwrite(fd, fill(10), 0);
        fdatasync(fd);
        fsync(fd);
      });
      withFile(b(path), O.read, fsync);
    }
    sync(place.dirPath);
    place.file("more");
    sync(place.dirPath);
  },

  "statvfs tells of space, and of the longest name"(place) {
    const { blocks, free, nameMax } = statvfs(b(place.dirPath));
    assert(blocks > 0 && free > 0 && free <= blocks);
    assert.equal(nameMax, 255);
  },

  "reads at and behind the end give nothing"(place) {
    const { paths, bytes } = twoFiles(place);
    for (const path of paths) {
      withFile(b(path), O.read, (fd) => {
        assert.equal(pread(fd, 10, bytes.length).length, 0);
        assert.equal(pread(fd, 10, bytes.length + 100_000).length, 0);
        assert.equal(pread(fd, 10, bytes.length - 3).length, 3);
        refuses("EBADF", () => pwrite(fd, fill(1), 0));
      });
    }
  },

  "what one descriptor writes another reads at once"(place) {
    const { paths } = twoFiles(place);
    for (const path of paths) {
      withFile(b(path), O.readWrite, (first) =>
        withFile(b(path), O.readWrite, (second) => {
          for (let round = 1; round < 50; round++) {
            pwrite(first, fill(round * 37, round), round * 501);
            assertBytes(pread(second, round * 37, round * 501), fill(round * 37, round));
            if (round % 10 === 0) fsync(second);
          }
        }));
    }
  },
};
