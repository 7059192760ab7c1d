/**
 * What is known about files: modes, owners, times, extended attributes, and who may do what.
 *
 * @module
 */

import assert from "node:assert/strict";
import { type ByteString, byteStringOf } from "../../ffi/bytes.ts";
import {
  close,
  fchmod,
  fstat,
  fsync,
  getAttribute,
  link,
  listAttributes,
  lstat,
  mkdir,
  mknod,
  open,
  pwrite,
  removeAttribute,
  setAttribute,
  symlink,
  unlink,
  utimens,
  withFile,
} from "../support/posix.ts";
import { fill, O, type Place, refuses } from "./place.ts";

const b = byteStringOf;
const bytes = (text: string) => new TextEncoder().encode(text);

/** Not every file system can do that. */
const PAST_CACHE = "a write past the cache";

/** By what they promise. */
export const STATUS_BEHAVIOURS: Readonly<Record<string, (place: Place) => void>> = {
  "chmod sets all bits, also of what was there before"(place) {
    const { small, dirPath } = place.takeBase();
    mkdir(place.bytes("d"));
    for (const path of [place.file("f"), place.path("d"), small, dirPath]) {
      for (const mode of [0o600, 0o4755, 0o1777, 0o700]) {
        Deno.chmodSync(path, mode);
        assert.equal(lstat(b(path)).mode, mode, path);
      }
    }
    withFile(place.bytes("f"), O.read, (fd) => {
      fchmod(fd, 0o444);
      assert.equal(fstat(fd).mode, 0o444);
    });
  },

  "umask applies to what is made"(place) {
    const umask = Deno.umask(0o027);
    try {
      close(open(place.bytes("f"), O.create | O.write, 0o666));
      mkdir(place.bytes("d"), 0o777);
    } finally {
      Deno.umask(umask);
    }
    assert.deepEqual([lstat(place.bytes("f")).mode, lstat(place.bytes("d")).mode], [0o640, 0o750]);
  },

  "times are kept to the nanosecond, before 1970 and after 2038"(place) {
    const { large, dirPath } = place.takeBase();
    mkdir(place.bytes("d"));
    symlink("x" as ByteString, place.bytes("l"));
    const times = [[1n, 999_999_999n], [-1n, -1_500_000_000n], [
      2n ** 32n * 1_000_000_000n + 7n,
      123_456_789_123n,
    ]];
    for (const path of [place.file("f"), place.path("d"), place.path("l"), large, dirPath]) {
      for (const [accessed = 0n, modified = 0n] of times) {
        utimens(b(path), accessed, modified);
        const status = lstat(b(path));
        assert.deepEqual([status.accessed, status.modified], [accessed, modified], path);
      }
    }
  },

  "the time at which a file was made stays what it was"(place) {
    const path = place.bytes("f");
    const before = BigInt(Date.now() - 5000) * 1_000_000n;
    close(open(path, O.create | O.readWrite));
    const { born } = lstat(path);
    if (born === undefined) return; // Not every file system tells, nor does FUSE before Linux 6.6.
    assert(born >= before && born <= BigInt(Date.now() + 5000) * 1_000_000n);
    withFile(path, O.readWrite, (fd) => {
      pwrite(fd, fill(10), 0);
      fsync(fd);
      utimens(path, 5n, 7n);
      const status = fstat(fd);
      const { accessed, modified, sizeBytes, type, mode, links } = status;
      assert.deepEqual([accessed, modified, sizeBytes, type], [5n, 7n, 10, "file"]);
      assert.deepEqual([mode, links], [0o644, 1]);
      assert.equal(status.born, born);
    });
    link(path, place.bytes("g"));
    unlink(path);
    assert.equal(lstat(place.bytes("g")).born, born);
    const { large, dirPath } = place.takeBase();
    const { born: old, sizeBytes } = lstat(b(large));
    assert(old !== undefined && old <= BigInt(Date.now() + 5000) * 1_000_000n);
    Deno.truncateSync(large, 5);
    assert.deepEqual([lstat(b(large)).born, lstat(b(large)).sizeBytes], [old, 5]);
    assert(sizeBytes > 5 && lstat(b(dirPath)).born !== undefined);
    if (place.user !== undefined) {
      mknod(place.bytes("node"), 0o020600, 0x12345);
      assert.equal(lstat(place.bytes("node")).type, "character");
      assert.notEqual(lstat(place.bytes("node")).born, undefined);
    }
  },

  "a change of contents moves the time of modification, one of status that of change"(place) {
    const { large, small } = place.takeBase();
    for (const path of [place.file("f", fill(10_000)), large, small]) {
      const old = 1_000_000_000n;
      const later = (what: string) => {
        assert(lstat(b(path)).modified > old, `${what} of ${path}`);
        utimens(b(path), old, old);
        assert.equal(lstat(b(path)).modified, old);
      };
      utimens(b(path), old, old);
      withFile(b(path), O.readWrite, (fd) => pwrite(fd, fill(1), 0));
      later("write");
      Deno.truncateSync(path, 3);
      later("truncate");
      const before = lstat(b(path)).changed;
      Deno.chmodSync(path, 0o600);
      assert(lstat(b(path)).changed >= before);
      assert.equal(lstat(b(path)).modified, old, "chmod leaves it");
    }
  },

  "a time that was set is not undone by earlier writes that reach the disk later"(place) {
    const { large } = place.takeBase();
    for (const path of [place.file("f", fill(100_000)), large]) {
      withFile(b(path), O.readWrite, (fd) => {
        pwrite(fd, fill(5000), 0);
        utimens(b(path), 5n, 6n);
        assert.equal(fstat(fd).modified, 6n);
        fsync(fd);
      });
      assert.equal(lstat(b(path)).modified, 6n);
    }
  },

  "extended attributes of files and directories are set, listed, replaced, removed"(place) {
    const { small, dirPath } = place.takeBase();
    for (const path of [place.file("f"), place.dirPath, small, dirPath].map(b)) {
      setAttribute(path, "user.a", bytes("one"), 1);
      setAttribute(path, "user.empty", new Uint8Array());
      refuses("EEXIST", () => setAttribute(path, "user.a", bytes("x"), 1));
      refuses("ENODATA", () => setAttribute(path, "user.b", bytes("x"), 2));
      setAttribute(path, "user.a", fill(2000), 2);
      assert.deepEqual(getAttribute(path, "user.a"), fill(2000));
      assert.equal(getAttribute(path, "user.empty").length, 0);
      assert.deepEqual(listAttributes(path), ["user.a", "user.empty"]);
      removeAttribute(path, "user.a");
      refuses("ENODATA", () => getAttribute(path, "user.a"));
      refuses("ENODATA", () => removeAttribute(path, "user.a"));
      refuses(["EOPNOTSUPP"], () => setAttribute(path, "unknown.a", bytes("x")));
      removeAttribute(path, "user.empty");
    }
  },
};

/** The same, for those that need privileges, and somebody without. */
export const OWNER_BEHAVIOURS: Readonly<Record<string, (place: Place) => void>> = {
  "chown changes owners, and takes the set-user-ID bits away"(place) {
    const { small } = place.takeBase();
    symlink("x" as ByteString, place.bytes("l"));
    Deno.chmodSync(place.file("f"), 0o6755);
    Deno.chmodSync(small, 0o6755);
    for (const path of [place.path("f"), small]) {
      Deno.chownSync(path, 1234, 4321);
      const { uid, gid, mode } = lstat(b(path));
      assert.deepEqual({ uid, gid, mode }, { uid: 1234, gid: 4321, mode: 0o755 });
      Deno.chownSync(path, null, 7);
      assert.deepEqual([lstat(b(path)).uid, lstat(b(path)).gid], [1234, 7]);
    }
  },

  "a write by somebody else takes the set-user-ID bits away"(place) {
    for (const path of [place.file("f", "text"), place.takeBase().large]) {
      Deno.chownSync(path, 0, 0);
      Deno.chmodSync(path, 0o6777);
      for (let at = path; (at = at.slice(0, at.lastIndexOf("/"))).length > 4;) open_(at);
      assert(place.asUser(`printf x | dd of='${path}' conv=notrunc`));
      assert.equal(lstat(b(path)).mode, 0o777);
    }
  },

  "set-user-ID bits are gone, for everybody, when the call returns that takes them away"(place) {
    // Of stat's figures only the mode is wanted: the kernel asks nobody for what it believes to know.
    const changes: Readonly<Record<string, string>> = {
      "a write": "printf x >&3",
      [PAST_CACHE]: "dd if=/dev/zero of='FILE' bs=4096 count=1 oflag=direct conv=notrunc",
      "fallocate": "fallocate -l 9000 'FILE'",
      "a cut": "truncate -s 1 'FILE'",
      "a write of a longer file": "head -c 300000 /dev/zero >&3",
    };
    for (const path of [place.file("f", "text"), place.takeBase().large]) {
      for (let at = path; (at = at.slice(0, at.lastIndexOf("/"))).length > 4;) open_(at);
      for (const [what, change] of Object.entries(changes)) {
        Deno.chownSync(path, 0, 0);
        Deno.chmodSync(path, 0o6777);
        const modes = `stat -c %a '${path}'; stat -L -c %a /proc/self/fd/3`;
        const seen = `${path}: ${what}`;
        const script = `exec 3<>'${path}'; before=$(${modes}); ` +
          `${change.replace("FILE", path)} 2>/dev/null || exit ${
            what === PAST_CACHE ? 0 : 9
          }; after=$(${modes}); ` +
          `[ "$(echo $before)" = "6777 6777" ] && [ "$(echo $after)" = "777 777" ]`;
        assert(place.asUser(script), seen);
        assert.equal(lstat(b(path)).mode, 0o777, seen);
      }
    }
  },

  "the kernel checks permissions, for files and directories"(place) {
    const { user } = place;
    assert(user !== undefined);
    place.file("mine", "secret");
    Deno.chmodSync(place.path("mine"), 0o600);
    mkdir(place.bytes("closed"));
    place.file("closed/f", "x");
    Deno.chmodSync(place.path("closed"), 0o700);
    mkdir(place.bytes("theirs"));
    Deno.chownSync(place.path("theirs"), user.uid, user.gid);
    mkdir(place.bytes("sticky"));
    Deno.chmodSync(place.path("sticky"), 0o1777);
    place.file("sticky/f", "x");
    const at = `cd '${place.dirPath}' && `;
    const outcomes = {
      "cat mine": false,
      "echo x > mine": false,
      "cat closed/f": false,
      "ls closed": false,
      "echo x > new": false,
      "rm -f mine && [ ! -e mine ]": false,
      "chmod 777 mine": false,
      "touch mine": false,
      "rm -f sticky/f": false,
      "echo x > sticky/own && rm sticky/own": true,
      "ls": true,
      "mkdir theirs/d && echo x > theirs/d/f && cat theirs/d/f && chmod 600 theirs/d/f": true,
      "mv theirs/d theirs/e && ln theirs/e/f theirs/g && rm -r theirs/e": true,
      "test -x mine": false,
    };
    for (const [script, expected] of Object.entries(outcomes)) {
      assert.equal(place.asUser(at + script), expected, script);
    }
    const { uid, gid } = lstat(place.bytes("theirs/g"));
    assert.deepEqual({ uid, gid }, { uid: user.uid, gid: user.gid });
    Deno.chmodSync(place.path("mine"), 0o644);
    assert(place.asUser(`${at} cat mine`), "a change counts at once");
  },

  "what is made in a directory with the set-group-ID bit has its group"(place) {
    mkdir(place.bytes("d"));
    Deno.chownSync(place.path("d"), 0, 4321);
    Deno.chmodSync(place.path("d"), 0o2775);
    place.file("d/f");
    mkdir(place.bytes("d/e"));
    symlink("x" as ByteString, place.bytes("d/l"));
    for (const name of ["d/f", "d/e", "d/l"]) {
      assert.equal(lstat(place.bytes(name)).gid, 4321, name);
    }
    assert.equal(lstat(place.bytes("d/e")).mode & 0o2000, 0o2000);
    assert.equal(lstat(place.bytes("d/f")).mode & 0o2000, 0);
  },

  "device nodes can be kept"(place) {
    mknod(place.bytes("null"), 0o020666, 0x103);
    mknod(place.bytes("disk"), 0o060600, 0x801);
    link(place.bytes("null"), place.bytes("same"));
    const types = ["null", "disk", "same"].map((name) => lstat(place.bytes(name)).type);
    assert.deepEqual(types, ["character", "block", "character"]);
    unlink(place.bytes("null"));
    assert.equal(lstat(place.bytes("same")).links, 1);
  },
};

/** Lets others through a directory. */
function open_(dirPath: string): void {
  const { mode } = lstat(b(dirPath));
  if ((mode & 0o001) === 0) Deno.chmodSync(dirPath, mode | 0o011);
}
