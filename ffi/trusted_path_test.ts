import assert from "node:assert/strict";
import { PbkfsError } from "../errors.ts";
import { systemLibc } from "./libc.ts";
import { trustedPath } from "./trusted_path.ts";

const IS_ROOT = Deno.uid() === 0;
const NOBODY = 65534;

/** A directory for the length of a scope; its path has no links. */
function makeDirectory(): { readonly path: string } & Disposable {
  const path = Deno.realPathSync(Deno.makeTempDirSync({ prefix: "pbkfs-test-" }));
  return { path, [Symbol.dispose]: () => Deno.removeSync(path, { recursive: true }) };
}

const resolve = (path: string) => trustedPath(systemLibc(), path);

Deno.test("a path is resolved as the system resolves it, whatever links of ours are in it [FR-854]", () => {
  using dir = makeDirectory();
  const { path } = dir;
  Deno.mkdirSync(`${path}/a/b ü/c`, { recursive: true });
  Deno.symlinkSync("a", `${path}/one`);
  Deno.symlinkSync(`${path}/one/./b ü//`, `${path}/two`);
  Deno.symlinkSync("../../two/c/..", `${path}/a/b ü/three`);
  Deno.symlinkSync("/", `${path}/top`);
  const below = ["", "/a/b ü/c", "/one/b ü", "/two/c", "/one/b ü/three/c", `/top${path}/two`];
  for (const one of below.map((part) => path + part).concat("/", "/proc")) {
    assert.equal(resolve(one), Deno.realPathSync(one));
  }
  assert.equal(resolve(`${path}/two/new/er`), `${path}/a/b ü/new/er`);
});

Deno.test("a path that ends in itself, or leads through a file, is refused [FR-854]", () => {
  using dir = makeDirectory();
  Deno.symlinkSync("loop", `${dir.path}/loop`);
  Deno.writeTextFileSync(`${dir.path}/file`, "");
  assert.throws(() => resolve(`${dir.path}/loop`), /loop/);
  assert.throws(() => resolve(`${dir.path}/file/x`), /ENOTDIR/);
});

Deno.test({
  name: "a link of another user leads root to what is that user's only [FR-854]",
  ignore: !IS_ROOT,
  fn() {
    using dir = makeDirectory();
    const { path } = dir;
    for (const name of ["mine", "his"]) Deno.mkdirSync(`${path}/${name}`);
    Deno.chownSync(`${path}/his`, NOBODY, NOBODY);
    const lay = (name: string, target: string) => {
      Deno.symlinkSync(target, `${path}/${name}`);
      new Deno.Command("chown", { args: ["-h", `${NOBODY}`, `${path}/${name}`] }).outputSync();
    };
    lay("to-mine", "mine");
    lay("to-his", "his");
    lay("through-mine", "mine/../his");
    Deno.symlinkSync("to-mine", `${path}/detour`);
    assert.equal(resolve(`${path}/to-his`), `${path}/his`);
    assert.equal(resolve(`${path}/to-his/new`), `${path}/his/new`);
    assert.equal(resolve(`${path}/through-mine`), `${path}/his`);
    for (const name of ["to-mine", "to-mine/new", "detour"]) {
      assert.throws(
        () => resolve(`${path}/${name}`),
        (error) => error instanceof PbkfsError && error.code === "PermissionDenied",
        name,
      );
    }
  },
});
