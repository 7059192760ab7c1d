import assert from "node:assert/strict";
import { ERRNO, PbkfsError } from "../../errors.ts";
import { type ByteString, byteStringOf } from "../../ffi/bytes.ts";
import { type Libc, systemLibc } from "../../ffi/libc.ts";
import { isRoot } from "../../postgres/mod.ts";
import { TempDir } from "../../tests/support/temp_dir.ts";
import { testUnless } from "../../tests/support/skip.ts";
import { StoreDirectory, StoreRefusal } from "./store_directory.ts";

/** A kernel from before openat2. */
function oldLibc(): Libc {
  const openResolved = () => {
    throw new PbkfsError("Io", { what: "openat2 failed", errno: ERRNO.ENOSYS });
  };
  return { ...systemLibc(), openResolved };
}

const notRoot = isRoot() ? undefined : "only root can give files away";
const run = (program: string, ...args: string[]) => {
  const { success, stderr } = new Deno.Command(program, { args }).outputSync();
  assert(success, new TextDecoder().decode(stderr));
};

for (const [kernel, make] of [["openat2", systemLibc], ["no openat2", oldLibc]] as const) {
  /** A directory with files, one of them in `store/sub`, and one beside `store`. */
  const inStore = async (
    body: (at: {
      readonly path: string;
      readonly open: (name: string) => string;
    }) => void | Promise<void>,
  ) => {
    await using dir = TempDir.make();
    const path = `${dir.path}/store`;
    Deno.mkdirSync(`${path}/sub`, { recursive: true });
    Deno.writeTextFileSync(`${path}/sub/file`, "inside");
    Deno.writeTextFileSync(`${dir.path}/outside`, "outside");
    const libc = make();
    using store = StoreDirectory.open(path, { libc });
    const open = (name: string) => {
      const { fd } = store.open(byteStringOf(`${path}/${name}`));
      const text = Deno.readTextFileSync(`/proc/self/fd/${fd}`);
      libc.close(fd);
      return text;
    };
    await body({ path, open });
  };

  Deno.test(`a file of a store is opened, what is none is refused at once (${kernel}) [FR-838]`, async () => {
    await inStore(({ path, open }) => {
      assert.equal(open("sub/file"), "inside");
      run("mkfifo", `${path}/sub/fifo`);
      using _socket = Deno.listen({ transport: "unix", path: `${path}/socket` });
      if (notRoot === undefined) run("mknod", `${path}/zero`, "c", "1", "5");
      const names = ["sub/fifo", "socket", "sub", ...(notRoot === undefined ? ["zero"] : [])];
      for (const name of names) {
        assert.throws(() => open(name), (error) => {
          assert(error instanceof StoreRefusal, name);
          assert.match(error.message, /not a regular file/);
          return true;
        });
      }
      assert.throws(() => open("sub/none"), { errno: ERRNO.ENOENT });
    });
  });

  Deno.test(`no link leads out of a store, as a file or on the way (${kernel}) [FR-838]`, async () => {
    await inStore(({ path, open }) => {
      Deno.symlinkSync("../outside", `${path}/link`);
      Deno.symlinkSync("sub/file", `${path}/inner`);
      Deno.symlinkSync("..", `${path}/up`);
      Deno.symlinkSync("/proc/self/root", `${path}/magic`);
      for (const name of ["link", "inner", "up/outside", "up/store/sub/file", "magic/etc/passwd"]) {
        assert.throws(() => open(name), (error) =>
          error instanceof StoreRefusal ||
          error instanceof PbkfsError && error.errno === ERRNO.ENOTDIR, name);
      }
      assert.throws(() => open("../outside"));
      assert.throws(() => StoreDirectory.open(`${path}/up`, { libc: make() }));
      Deno.symlinkSync(path, `${path}-link`);
      assert.throws(() => StoreDirectory.open(`${path}-link/sub`, { libc: make() }));
      assert.throws(() => StoreDirectory.open(`${path}-link`, { libc: make() }));
      using linked = StoreDirectory.open(`${path}-link`, { libc: make(), mayBeLink: true });
      assert.equal(linked.path, path);
    });
  });

  testUnless(
    notRoot,
    `root reads for a user only what the user may read (${kernel}) [FR-839]`,
    async () => {
      await inStore(({ path }) => {
        const libc = make();
        using store = StoreDirectory.open(path, { libc, reader: { uid: 1001, gid: 1002 } });
        const isServed = (uid: number, gid: number, mode: number) => {
          const file = `${path}/sub/file`;
          Deno.chownSync(file, uid, gid);
          Deno.chmodSync(file, mode);
          try {
            libc.close(store.open(file as ByteString).fd);
            return true;
          } catch (error) {
            assert(error instanceof StoreRefusal);
            assert.match(error.message, /user 1001/);
            return false;
          }
        };
        assert(isServed(1001, 0, 0o000), "their own");
        assert(!isServed(0, 0, 0o600), "a hard link to what is root's");
        assert(!isServed(0, 0, 0o640));
        assert(!isServed(1003, 1003, 0o600), "a hard link to what is somebody else's");
        assert(isServed(0, 1002, 0o640), "of their group");
        assert(!isServed(0, 1002, 0o604), "all but their group");
        assert(isServed(0, 0, 0o644));
      });
    },
  );

  testUnless(
    notRoot,
    `a link to a directory counts if it is root's, or leads to what its owner has (${kernel}) [FR-839]`,
    async () => {
      await inStore(({ path }) => {
        const target = `${path}/sub`;
        const link = `${path}/instance`;
        Deno.symlinkSync("sub", link);
        const isFollowed = (linkOwner: number, targetOwner: number) => {
          run("chown", "-h", `${linkOwner}`, link);
          Deno.chownSync(target, targetOwner, null);
          try {
            using found = StoreDirectory.open(link, { libc: make(), mayBeLink: true });
            return found.path === target;
          } catch (error) {
            assert(error instanceof StoreRefusal);
            return false;
          }
        };
        assert(isFollowed(0, 0));
        assert(isFollowed(0, 1001));
        assert(isFollowed(1001, 1001));
        assert(!isFollowed(1001, 0));
        assert(!isFollowed(1001, 1002));
      });
    },
  );
}
