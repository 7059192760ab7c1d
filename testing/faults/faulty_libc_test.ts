import assert from "node:assert/strict";
import { ERRNO, PbkfsError } from "../../errors.ts";
import { byteStringOf } from "../../ffi/bytes.ts";
import { type FaultAction, Faults, parseFaults } from "./faulty_libc.ts";
import { OPEN, systemLibc } from "../../ffi/libc.ts";

/** What a plan makes of `count` calls: 0, or the errno. */
function outcomes(plan: string, count: number, path = ""): number[] {
  const faults = new Faults(parseFaults(plan));
  return Array.from({ length: count }, () => {
    try {
      faults.around("pread", () => path, () => {});
      return 0;
    } catch (error) {
      return (error as PbkfsError).errno;
    }
  });
}

Deno.test("a plan of faults is read: calls, paths, ranges and actions [FR-600]", () => {
  const rules = parseFaults("fdatasync:/data/@3-=EIO; commit@2=kill-after;open@1-4=EMFILE");
  assert.deepEqual(rules.map(({ call, path, first, last }) => [call, path, first, last]), [
    ["fdatasync", "/data/", 3, Infinity],
    ["commit", "", 2, 2],
    ["open", "", 1, 4],
  ]);
  const actions: FaultAction[] = [{ errno: ERRNO.EIO }, "kill-after", { errno: ERRNO.EMFILE }];
  assert.deepEqual(rules.map(({ action }) => action), actions);
  assert.deepEqual(parseFaults(" "), []);
});

Deno.test("what is no plan is refused, naming the rule [FR-600]", () => {
  for (
    const text of [
      "pread",
      "pread@0=EIO",
      "pread@5-4=EIO",
      "pread@1=EFOO",
      "pread@1=kill",
      "mmap@1=EIO",
      "commit:/data/@1=EIO",
      "pread@1=EIO;",
      "pread@1=EIO extra",
      "pread@x=EIO",
    ]
  ) {
    assert.throws(() => parseFaults(text), { code: "Usage" }, text);
  }
});

Deno.test("the calls of a plan fail, and no others [FR-600]", () => {
  assert.deepEqual(outcomes("pread@2=EIO", 3), [0, ERRNO.EIO, 0]);
  assert.deepEqual(outcomes("pread@2-3=ESTALE", 4), [0, ERRNO.ESTALE, ERRNO.ESTALE, 0]);
  assert.deepEqual(outcomes("pread@2-=EIO", 3), [0, ERRNO.EIO, ERRNO.EIO]);
  assert.deepEqual(outcomes("pwrite@1-=EIO", 2), [0, 0]);
  assert.deepEqual(outcomes("pread:/data/@1=EIO", 1, "/diff/data/1"), [ERRNO.EIO]);
  assert.deepEqual(outcomes("pread:/data/@1=EIO", 1, "/store/base/1"), [0]);
});

Deno.test("a faulty libc knows the path behind a descriptor; a plan of none changes nothing [FR-600]", () => {
  const libc = systemLibc();
  assert.equal(new Faults([]).libc(libc), libc);
  const path = Deno.makeTempFileSync({ prefix: "pbkfs-faults-" });
  try {
    const faulty = new Faults(parseFaults("fsync:/pbkfs-faults-@2=EDQUOT")).libc(libc);
    const fd = faulty.open(byteStringOf(path), OPEN.readWrite);
    faulty.fsync(fd);
    assert.throws(() => faulty.fsync(fd), { errno: ERRNO.EDQUOT });
    faulty.close(fd);
  } finally {
    Deno.removeSync(path);
  }
});

Deno.test("a plan can kill the process before a call, or after it [FR-600]", async () => {
  for (const [moment, expected] of [["kill-before", ""], ["kill-after", "made"]] as const) {
    const code = `
      import { Faults, parseFaults } from ${
      JSON.stringify(import.meta.resolve("./faulty_libc.ts"))
    };
      class Store { commit() { Deno.stdout.writeSync(new TextEncoder().encode("made")); } }
      new Faults(parseFaults("commit@1=${moment}")).stores(Store);
      new Store().commit([{}]);
      Deno.stdout.writeSync(new TextEncoder().encode("alive"));`;
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", "-"],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(code));
    await writer.close();
    const { signal, stdout } = await child.output();
    assert.equal(signal, "SIGKILL");
    assert.equal(new TextDecoder().decode(stdout), expected);
  }
});
