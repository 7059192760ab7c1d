/**
 * What names do: make, link, rename, remove, list.
 *
 * @module
 */

import assert from "node:assert/strict";
import { type ByteString, byteString, byteStringOf } from "../../ffi/bytes.ts";
import {
  close,
  fstat,
  fsync,
  link,
  linkOpenFile,
  lstat,
  mkdir,
  mknod,
  open,
  pread,
  pwrite,
  readLink,
  rename,
  rmdir,
  symlink,
  unlink,
  withFile,
} from "../support/posix.ts";
import { assertBytes, fill, O, type Place, refuses, sync } from "./place.ts";

const b = byteStringOf;
const NO_REPLACE = 1;
const EXCHANGE = 2;

/** Not every file system can; a mount of ours can, from Linux 6.2 on. */
function canMakeTemporary(place: Place): boolean {
  try {
    close(open(b(place.dirPath), O.temporary | O.readWrite));
    return true;
  } catch (error) {
    const isOurs = place.dirPath.includes("/mount/");
    const [major = 0, minor = 0] = Deno.osRelease().split(".").map(Number.parseFloat);
    assert(!isOurs || major < 6 || (major === 6 && minor < 2), `${error}`);
    return false;
  }
}

/** By what they promise. */
export const NAME_BEHAVIOURS: Readonly<Record<string, (place: Place) => void>> = {
  "open with O_CREAT makes a file, with O_EXCL only a new one"(place) {
    close(open(place.bytes("a"), O.create | O.readWrite, 0o640));
    assert.equal(lstat(place.bytes("a")).sizeBytes, 0);
    close(open(place.bytes("a"), O.create | O.readWrite));
    refuses("EEXIST", () => open(place.bytes("a"), O.create | O.exclusive | O.write));
    refuses("ENOENT", () => open(place.bytes("b"), O.write));
    refuses("ENOTDIR", () => open(place.bytes("a/b"), O.create | O.write));
    refuses("EISDIR", () => open(b(place.dirPath), O.write));
  },

  "a file made without a name can get one, with all that it has by then"(place) {
    if (!canMakeTemporary(place)) return;
    const fd = open(b(place.dirPath), O.temporary | O.readWrite, 0o640);
    try {
      assert.equal(fstat(fd).links, 0);
      assert.deepEqual(place.names(), []);
      pwrite(fd, fill(20_000), 0);
      assertBytes(pread(fd, 30_000, 0), fill(20_000));
      fsync(fd);
      linkOpenFile(fd, place.bytes("named"));
      const { links, mode, ino } = lstat(place.bytes("named"));
      assert.deepEqual([links, mode, ino, fstat(fd).links], [1, 0o640, fstat(fd).ino, 1]);
      refuses("EEXIST", () => linkOpenFile(fd, place.bytes("named")));
      linkOpenFile(fd, place.bytes("second"));
      pwrite(fd, fill(5, 9), 10);
      sync(place.path("named"));
    } finally {
      close(fd);
    }
    const expected = fill(20_000);
    expected.set(fill(5, 9), 10);
    for (const name of ["named", "second"]) {
      assertBytes(Deno.readFileSync(place.path(name)), expected);
      assert.equal(lstat(place.bytes(name)).links, 2);
    }
  },

  "a file made without a name and let go of is gone; one made for good stays without"(place) {
    if (!canMakeTemporary(place)) return;
    const exclusive = open(b(place.dirPath), O.temporary | O.exclusive | O.readWrite);
    refuses("ENOENT", () => linkOpenFile(exclusive, place.bytes("named")));
    close(exclusive);
    const fd = open(b(place.dirPath), O.temporary | O.readWrite);
    linkOpenFile(fd, place.bytes("named"));
    unlink(place.bytes("named"));
    refuses("ENOENT", () => linkOpenFile(fd, place.bytes("again")));
    pwrite(fd, fill(10), 0);
    assertBytes(pread(fd, 20, 0), fill(10));
    close(fd);
    const group = place.path("group");
    Deno.mkdirSync(group);
    Deno.chmodSync(group, 0o2755);
    withFile(b(group), O.temporary | O.readWrite, (made) => {
      assert.equal(fstat(made).gid, lstat(b(group)).gid);
    });
    assert.deepEqual(place.names(), ["group"]);
    assert.deepEqual(place.names("group"), []);
  },

  "a name that was looked for in vain is found when it has been made"(place) {
    refuses("ENOENT", () => lstat(place.bytes("late")));
    place.file("late");
    assert.equal(lstat(place.bytes("late")).sizeBytes, 4);
    unlink(place.bytes("late"));
    refuses("ENOENT", () => lstat(place.bytes("late")));
  },

  "mkdir and rmdir keep the link counts of directories"(place) {
    const links = (name: string) => lstat(place.bytes(name)).links;
    assert.equal(links(""), 2);
    mkdir(place.bytes("d"));
    mkdir(place.bytes("d/e"));
    assert.deepEqual([links(""), links("d"), links("d/e")], [3, 3, 2]);
    refuses("EEXIST", () => mkdir(place.bytes("d")));
    refuses("ENOTEMPTY", () => rmdir(place.bytes("d")));
    rmdir(place.bytes("d/e"));
    assert.equal(links("d"), 2);
    rmdir(place.bytes("d"));
    assert.equal(links(""), 2);
    refuses("ENOENT", () => rmdir(place.bytes("d")));
    refuses("ENOTDIR", () => rmdir(b(place.file("f"))));
    refuses(["EISDIR", "EPERM"], () => unlink(b(place.dirPath)));
  },

  "a symbolic link keeps its target as it is, dangling or not"(place) {
    const target = "no/such\xff place" as ByteString;
    symlink(target, place.bytes("l"));
    const { type, sizeBytes, mode } = lstat(place.bytes("l"));
    assert.deepEqual({ type, sizeBytes, mode }, { type: "symlink", sizeBytes: 14, mode: 0o777 });
    assert.equal(readLink(place.bytes("l")), target);
    refuses("ENOENT", () => open(place.bytes("l"), O.read));
    place.file("real", "text");
    symlink("real" as ByteString, place.bytes("good"));
    assert.equal(Deno.readLinkSync(place.path("good")), "real");
    assert.equal(place.text("good"), "text");
    refuses("EEXIST", () => symlink("x" as ByteString, place.bytes("good")));
    unlink(place.bytes("good"));
    assert.equal(place.text("real"), "text");
  },

  "hard links share a file, and count"(place) {
    place.file("a", "one");
    link(place.bytes("a"), place.bytes("b"));
    const [first, second] = [lstat(place.bytes("a")), lstat(place.bytes("b"))];
    assert.equal(first.ino, second.ino);
    assert.equal(first.links, 2);
    Deno.writeTextFileSync(place.path("b"), "two");
    assert.equal(place.text("a"), "two");
    unlink(place.bytes("a"));
    assert.equal(lstat(place.bytes("b")).links, 1);
    assert.equal(place.text("b"), "two");
    refuses("EEXIST", () => link(place.bytes("b"), place.bytes("b")));
    mkdir(place.bytes("d"));
    refuses("EPERM", () => link(place.bytes("d"), place.bytes("e")));
  },

  "a hard link to a file that was there before is the same file"(place) {
    const { large } = place.takeBase();
    const before = Deno.readFileSync(large);
    link(b(large), place.bytes("l"));
    withFile(place.bytes("l"), O.readWrite, (fd) => pwrite(fd, fill(100), 8000));
    const changed = before.slice();
    changed.set(fill(100), 8000);
    assertBytes(Deno.readFileSync(large), changed);
    unlink(b(large));
    assertBytes(Deno.readFileSync(place.path("l")), changed);
    assert.equal(lstat(place.bytes("l")).links, 1);
  },

  "rename replaces a file at once, and keeps the open one readable"(place) {
    place.file("new", "new");
    place.file("old", "old");
    const fd = open(place.bytes("old"), O.read);
    rename(place.bytes("new"), place.bytes("old"));
    assert.deepEqual(place.names(), ["old"]);
    assert.equal(place.text("old"), "new");
    assert.equal(new TextDecoder().decode(pread(fd, 10, 0)), "old");
    assert.equal(fstat(fd).links, 0);
    close(fd);
  },

  "rename of two names of one file does nothing"(place) {
    place.file("a");
    link(place.bytes("a"), place.bytes("b"));
    rename(place.bytes("a"), place.bytes("b"));
    assert.deepEqual(place.names(), ["a", "b"]);
  },

  "rename of a file and of a directory onto the wrong kind is refused"(place) {
    place.file("f");
    mkdir(place.bytes("d"));
    mkdir(place.bytes("full"));
    place.file("full/x");
    refuses("EISDIR", () => rename(place.bytes("f"), place.bytes("d")));
    refuses("ENOTDIR", () => rename(place.bytes("d"), place.bytes("f")));
    refuses(["ENOTEMPTY", "EEXIST"], () => rename(place.bytes("d"), place.bytes("full")));
    refuses("EINVAL", () => rename(place.bytes("full"), place.bytes("full/sub")));
    refuses("ENOENT", () => rename(place.bytes("none"), place.bytes("f")));
    rename(place.bytes("full"), place.bytes("d"));
    assert.deepEqual(place.names("d"), ["x"]);
    assert.deepEqual(place.names(), ["d", "f"]);
  },

  "a renamed directory takes along what is in it, however deep"(place) {
    mkdir(place.bytes("a"));
    mkdir(place.bytes("a/b"));
    mkdir(place.bytes("a/b/c"));
    mkdir(place.bytes("other"));
    place.file("a/b/c/f", "deep");
    const { ino } = lstat(place.bytes("a/b"));
    rename(place.bytes("a/b"), place.bytes("other/moved"));
    assert.equal(place.text("other/moved/c/f"), "deep");
    assert.equal(lstat(place.bytes("other/moved")).ino, ino);
    refuses("ENOENT", () => lstat(place.bytes("a/b/c/f")));
    assert.deepEqual([lstat(place.bytes("a")).links, lstat(place.bytes("other")).links], [2, 3]);
    assert.equal(lstat(place.bytes("other/moved/..")).ino, lstat(place.bytes("other")).ino);
    rename(place.bytes("other"), place.bytes("a/other"));
    assert.equal(place.text("a/other/moved/c/f"), "deep");
  },

  "a directory that was there before is renamed with all its files"(place) {
    const { dirPath, large } = place.takeBase();
    const names = [...Deno.readDirSync(dirPath)].map(({ name }) => name).sort();
    const bytes = Deno.readFileSync(large);
    const name = large.slice(large.lastIndexOf("/") + 1);
    rename(b(dirPath), place.bytes("moved"));
    refuses("ENOENT", () => lstat(b(dirPath)));
    assert.deepEqual(place.names("moved"), names);
    assertBytes(Deno.readFileSync(place.path(`moved/${name}`)), bytes);
    mkdir(b(dirPath));
    assert.deepEqual([...Deno.readDirSync(dirPath)], [], "the old name begins anew");
    place.file("moved/more", "x");
    unlink(place.bytes(`moved/${name}`));
    assert.deepEqual(place.names("moved"), [...names, "more"].filter((n) => n !== name).sort());
  },

  "RENAME_NOREPLACE spares what is there"(place) {
    place.file("a", "a");
    place.file("b", "b");
    refuses("EEXIST", () => rename(place.bytes("a"), place.bytes("b"), NO_REPLACE));
    assert.equal(place.text("b"), "b");
    rename(place.bytes("a"), place.bytes("c"), NO_REPLACE);
    assert.deepEqual(place.names(), ["b", "c"]);
  },

  "RENAME_EXCHANGE swaps any two, and keeps link counts"(place) {
    mkdir(place.bytes("d1"));
    mkdir(place.bytes("d2"));
    mkdir(place.bytes("d1/sub"));
    place.file("d2/f", "file");
    rename(place.bytes("d1/sub"), place.bytes("d2/f"), EXCHANGE);
    assert.equal(place.text("d1/sub"), "file");
    assert.equal(lstat(place.bytes("d2/f")).type, "directory");
    assert.deepEqual([lstat(place.bytes("d1")).links, lstat(place.bytes("d2")).links], [2, 3]);
    rename(place.bytes("d1"), place.bytes("d2"), EXCHANGE);
    assert.equal(place.text("d2/sub"), "file");
    refuses("ENOENT", () => rename(place.bytes("d1"), place.bytes("none"), EXCHANGE));
    refuses("EINVAL", () => rename(place.bytes("d1"), place.bytes("d1/f"), EXCHANGE));
    refuses("EINVAL", () => rename(place.bytes("d1"), place.bytes("d2"), EXCHANGE | NO_REPLACE));
  },

  "a file that was there before is unlinked, made again, and has nothing of the old one"(place) {
    const { large, small } = place.takeBase();
    for (const path of [large, small]) {
      unlink(b(path));
      refuses("ENOENT", () => lstat(b(path)));
      close(open(b(path), O.create | O.exclusive | O.readWrite));
      assert.equal(lstat(b(path)).sizeBytes, 0);
      Deno.truncateSync(path, 10_000);
      assertBytes(Deno.readFileSync(path), new Uint8Array(10_000));
      unlink(b(path));
      mkdir(b(path));
      assert.deepEqual([...Deno.readDirSync(path)], []);
      rmdir(b(path));
    }
  },

  "a directory that was there before is emptied, removed, and made again"(place) {
    const { dirPath } = place.takeBase();
    refuses("ENOTEMPTY", () => rmdir(b(dirPath)));
    for (const { name } of Deno.readDirSync(dirPath)) unlink(b(`${dirPath}/${name}`));
    rmdir(b(dirPath));
    refuses("ENOENT", () => lstat(b(dirPath)));
    mkdir(b(dirPath));
    assert.deepEqual([...Deno.readDirSync(dirPath)], []);
    sync(dirPath);
  },

  "an unlinked file can be read and written while it is open"(place) {
    const { large } = place.takeBase();
    const before = Deno.readFileSync(large);
    for (const path of [place.file("f", before), large]) {
      const fd = open(b(path), O.readWrite);
      unlink(b(path));
      assertBytes(pread(fd, before.length, 0), before);
      pwrite(fd, fill(9000), 4000);
      pwrite(fd, fill(10), before.length + 50_000);
      assertBytes(pread(fd, 9000, 4000), fill(9000));
      assertBytes(pread(fd, 20, before.length + 49_990).subarray(10), fill(10));
      assert.equal(fstat(fd).links, 0);
      close(fd);
      refuses("ENOENT", () => lstat(b(path)));
    }
  },

  "names of 255 bytes are taken, longer ones refused"(place) {
    const longest = "n".repeat(255);
    place.file(longest, "long");
    assert.equal(place.text(longest), "long");
    const longer = place.bytes(`${longest}n`);
    const calls = [
      () => open(longer, O.create | O.write),
      () => open(longer, O.read),
      () => lstat(longer),
      () => mkdir(longer),
      () => symlink("x" as ByteString, longer),
      () => link(place.bytes(longest), longer),
      () => rename(place.bytes(longest), longer),
      () => unlink(longer),
      () => rmdir(longer),
    ];
    for (const call of calls) refuses("ENAMETOOLONG", call);
  },

  "names are bytes, not text"(place) {
    const names = ["\xff\xfe", "caf\xe9", "new\nline", "\x01", " ", "a\\b", "\xc3\xa9"];
    const path = (name: string) => `${place.bytes("")}${name}` as ByteString;
    for (const name of names) close(open(path(name), O.create | O.exclusive | O.write));
    const { stdout } = new Deno.Command("find", {
      args: [place.dirPath, "-mindepth", "1", "-printf", "%f\\0"],
    }).outputSync();
    assert.deepEqual(byteString(stdout).split("\0").sort(), ["", ...names].sort());
    rename(path("\xff\xfe"), path("\xfe\xff"));
    for (const name of ["\xfe\xff", ...names.slice(1)]) unlink(path(name));
    assert.deepEqual(place.names(), []);
  },

  "a directory of 10,000 names is listed whole while others come and go"(place) {
    for (let n = 0; n < 10_000; n++) close(open(place.bytes(`stays ${n}`), O.create | O.write));
    for (let n = 0; n < 500; n++) close(open(place.bytes(`goes ${n}`), O.create | O.write));
    const seen = new Map<string, number>();
    let count = 0;
    for (const { name } of Deno.readDirSync(place.dirPath)) {
      seen.set(name, (seen.get(name) ?? 0) + 1);
      const turn = count++;
      if (turn % 20 !== 0 || turn >= 10_000) continue;
      unlink(place.bytes(`goes ${turn / 20}`));
      close(open(place.bytes(`comes ${turn}`), O.create | O.write));
    }
    for (let n = 0; n < 10_000; n++) assert.equal(seen.get(`stays ${n}`), 1, `stays ${n}`);
    assert.deepEqual([...seen].filter(([, times]) => times > 1), []);
    assert.equal(place.names().length, 10_500);
    for (const name of place.names()) unlink(place.bytes(name));
    assert.deepEqual(place.names(), []);
  },

  "fifos can be made, and sockets bound"(place) {
    mknod(place.bytes("fifo"), 0o010640);
    const { type, mode } = lstat(place.bytes("fifo"));
    assert.deepEqual({ type, mode }, { type: "fifo", mode: 0o640 & ~Deno.umask() });
    const script = `cd '${place.dirPath}' && (echo through > fifo &) && read line < fifo && ` +
      `[ "$line" = through ]`;
    assert(new Deno.Command("sh", { args: ["-c", script] }).outputSync().success);
    const listener = Deno.listen({ transport: "unix", path: place.path("socket") });
    assert.equal(lstat(place.bytes("socket")).type, "socket");
    listener.close();
    unlink(place.bytes("fifo"));
  },

  "names that change move the times of their directories"(place) {
    mkdir(place.bytes("d"));
    const before = lstat(place.bytes("d")).modified;
    const later = (what: string) => {
      const now = lstat(place.bytes("d")).modified;
      // The clock of file systems stands still for some milliseconds at a time.
      assert(now >= before, `${what}: ${now}`);
      Deno.utimeSync(place.path("d"), 1000, 1000);
    };
    Deno.utimeSync(place.path("d"), 1000, 1000);
    place.file("d/f");
    assert(lstat(place.bytes("d")).modified > 1_000_000_000_000n);
    later("create");
    rename(place.bytes("d/f"), place.bytes("d/g"));
    later("rename");
    link(place.bytes("d/g"), place.bytes("d/h"));
    later("link");
    unlink(place.bytes("d/g"));
    later("unlink");
  },
};
