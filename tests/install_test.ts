/** `./run install`, `./run uninstall`, and the command that is there in between. */

import assert from "node:assert/strict";
import { isAlive } from "../binding/mod.ts";
import { COMMANDS } from "../cli/commands.ts";
import { bashScript, fishScript, zshScript } from "../cli/completion_scripts.ts";
import { manPage } from "../cli/man_page.ts";
import config from "../deno.json" with { type: "json" };
import { VERSION } from "../daemon/mod.ts";
import { crash, nextDaemon, waitUntil } from "./support/daemon_process.ts";
import { folderOf, sources } from "./support/imports.ts";
import { listing, runCutOff, runScript } from "./support/installed.ts";
import { mountArguments } from "./support/mount_backup.ts";
import { isMounted } from "./support/mounts.ts";
import { Scene } from "./support/scene.ts";
import { mountObstacle, testUnless } from "./support/skip.ts";
import { TempDir } from "./support/temp_dir.ts";
import { type Identity, isRoot, ordinaryUser } from "./support/users.ts";

/** What is installed outside lib/pbkfs. */
const FILES = [
  "bin/pbkfs",
  "share/bash-completion/completions/pbkfs",
  "share/fish/vendor_completions.d/pbkfs.fish",
  "share/man/man1/pbkfs.1",
  "share/zsh/site-functions/_pbkfs",
];

/** Somebody with nothing: not who installed. */
const STRANGER: Identity | undefined = isRoot() ? { uid: 65534, gid: 65534 } : undefined;

/** Installs, and fails if that does. @returns What it said. */
async function install(prefix: string, user?: Identity): Promise<string> {
  const { code, stdout, stderr } = await runScript(["install", "--prefix", prefix], { user });
  assert.equal(code, 0, stderr);
  assert.equal(stdout, "");
  return stderr;
}

/** Takes it away. @returns What it said. */
async function uninstall(prefix: string, user?: Identity): Promise<string> {
  const { code, stderr } = await runScript(["uninstall", `--prefix=${prefix}`], { user });
  assert.equal(code, 0, stderr);
  return stderr;
}

/** The directories of the releases below a prefix. */
function releases(prefix: string): string[] {
  const home = `${prefix}/lib/pbkfs`;
  return [...Deno.readDirSync(home)].filter(({ isDirectory }) => isDirectory)
    .map(({ name }) => `${home}/${name}`);
}

/** The packages that our program imports, tests aside. */
function packagesOfProgram(): string[] {
  const inside = sources().filter(({ path }) =>
    !["testing", "tests", "bench"].includes(folderOf(path)) && !/_test\.ts$|\/_/.test(path)
  );
  const names = Object.keys(config.imports);
  return names.filter((name) => inside.some(({ imports }) => imports.includes(name))).sort();
}

Deno.test("what is installed is the program, its packages, manual page and completions [FR-900]", async () => {
  await using dir = TempDir.make();
  // A checkout that only its owner reads is for all users afterwards.
  const prefix = `${dir.path}/new/it's a prefix`;
  const said = await install(prefix);
  assert(said.includes(`${prefix}/bin is not on your PATH`), said);
  const all = listing(prefix);
  assert.deepEqual(all.filter((path) => !/^lib\/|\/$/.test(path)), FILES);

  const [release = ""] = releases(prefix);
  const inside = listing(release);
  const packages = [...Deno.readDirSync(`${release}/app/node_modules`)].flatMap(({ name }) =>
    name.startsWith("@")
      ? [...Deno.readDirSync(`${release}/app/node_modules/${name}`)].map((in_) =>
        `${name}/${in_.name}`
      )
      : [name]
  ).filter((name) => !name.startsWith(".")).sort();
  assert.deepEqual(packages, packagesOfProgram());
  assert(packages.length >= 4 && !packages.includes("fast-check"));
  const closure = inside.flatMap((path) => /node_modules\/\.deno\/([^/]+)\/$/.exec(path)?.[1] ?? [])
    .filter((name) => name !== "node_modules").map((name) => name.replace(/@[^@]*$/, ""));
  assert.deepEqual(closure.sort(), packages.map((name) => name.replace("/", "+")).sort());
  const ours = inside.filter((path) => path.startsWith("app/") && !path.includes("node_modules"));
  assert.deepEqual(
    ours.filter((path) => /_test\.ts$|^app\/(testing|tests|bench)\//.test(path)),
    [],
  );
  assert(ours.filter((path) => path.endsWith(".ts")).length > 100);
  for (const path of all) {
    const mode = Deno.lstatSync(`${prefix}/${path}`).mode ?? 0;
    if (!Deno.lstatSync(`${prefix}/${path}`).isSymlink) assert.equal(mode & 0o044, 0o044, path);
  }

  const read = (path: string) => Deno.readTextFileSync(`${prefix}/${path}`).trimEnd();
  assert.equal(read("share/man/man1/pbkfs.1"), manPage(COMMANDS).trimEnd());
  const completion = { bash: bashScript, fish: fishScript, zsh: zshScript };
  const places = { bash: FILES[1], fish: FILES[2], zsh: FILES[4] };
  for (const shell of ["bash", "fish", "zsh"] as const) {
    assert.equal(read(places[shell] ?? ""), completion[shell](COMMANDS).trimEnd());
  }
  const version = await runCutOff([`${prefix}/bin/pbkfs`, "--version"], { user: STRANGER });
  assert.deepEqual(version, { code: 0, stdout: `${VERSION}\n`, stderr: "" });

  // No packages at hand, and nobody to ask for them.
  const env = { DENO_DIR: `${dir.path}/empty`, NPM_CONFIG_REGISTRY: "http://127.0.0.1:9/" };
  assert.notEqual((await runScript(["install", "--prefix", prefix], { env })).code, 0);
  assert.deepEqual(listing(prefix), all, "an upgrade that fails leaves what was there");
  Deno.removeSync(`${dir.path}/empty`, { recursive: true });

  await uninstall(prefix);
  assert.deepEqual(listing(dir.path), ["new/"]);

  assert.notEqual((await runScript(["install", "--prefix", prefix], { env })).code, 0);
  Deno.removeSync(`${dir.path}/empty`, { recursive: true });
  assert.deepEqual(listing(dir.path), ["new/"], "neither does an installation leave anything");
});

for (const user of isRoot() ? [undefined, ordinaryUser()] : [undefined]) {
  const who = user === undefined && isRoot() ? "root" : "an ordinary user";
  testUnless(
    mountObstacle("ordinary user"),
    `installed by ${who}: it mounts and unmounts for others, cut off from all networks [FR-901]`,
    async () => {
      await using scene = await Scene.open({ fixture: "zlib-chain", owner: ordinaryUser() });
      const home = `${scene.dirPath}/home`;
      Deno.mkdirSync(home);
      if (user !== undefined) Deno.chownSync(home, user.uid, user.gid);
      const prefix = `${home}/.local`;
      // Ordinary users need not name it.
      const env = { HOME: home };
      const asked = user === undefined ? ["--prefix", prefix] : [];
      const { code, stderr } = await runScript(["install", ...asked], { user, env });
      assert.equal(code, 0, stderr);
      const before = listing(prefix);

      const runner = isRoot() ? ordinaryUser() : undefined;
      const pbkfs = (...args: string[]) =>
        runCutOff([`${prefix}/bin/pbkfs`, ...args], { user: runner });
      const mounted = await pbkfs(...mountArguments(scene.mountOptions("TOTL9U")));
      assert.equal(mounted.code, 0, mounted.stderr);
      assert(isMounted(scene.mountDir));
      const status = await pbkfs("status", "-D", scene.mountDir);
      assert.match(status.stdout, /^backup +TOTL9U of main$/m);
      assert.equal(status.stderr, "");
      const unmounted = await pbkfs("unmount", "-D", scene.mountDir);
      assert.equal(unmounted.code, 0, unmounted.stderr);
      assert(!isMounted(scene.mountDir));
      if (user === undefined) assert.deepEqual(listing(prefix), before, "others change nothing");

      const removed = await runScript(["uninstall", ...asked], { user, env });
      assert.equal(removed.code, 0, removed.stderr);
      assert.deepEqual(listing(home), []);
    },
  );
}

testUnless(
  mountObstacle(),
  "after an upgrade, a mount goes on with the release before, which goes when it has ended [FR-902]",
  async () => {
    await using scene = await Scene.open({ fixture: "zlib-chain", owner: ordinaryUser() });
    const prefix = `${scene.dirPath}/prefix`;
    const pbkfs = async (...args: string[]) => {
      const ended = await runCutOff([`${prefix}/bin/pbkfs`, ...args]);
      assert.equal(ended.code, 0, ended.stderr);
    };
    await install(prefix);
    const [first = ""] = releases(prefix);
    await pbkfs(...mountArguments(scene.mountOptions("TOTL9U")));
    const said = await install(prefix);
    assert.match(said, /Mounts that were there go on with the earlier release \(processes \d/);
    assert.equal(releases(prefix).length, 2);
    const again = await nextDaemon(scene.diffDir, await crash(scene.diffDir));
    assert.equal(Deno.readLinkSync(`/proc/${again}/exe`), `${first}/deno`);

    const refused = await runScript(["uninstall", "--prefix", prefix]);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /^pbkfs is running \(processes .*nothing was removed/);
    assert.equal(releases(prefix).length, 2);
    await pbkfs("unmount", "-D", scene.mountDir);
    assert(await waitUntil(() => !isAlive(again)));
    const [second = ""] = releases(prefix).filter((path) => path !== first);
    await install(prefix);
    const left = releases(prefix);
    assert.equal(left.length, 1);
    assert(!left.includes(first) && !left.includes(second), "an upgrade is a new release");
    await uninstall(prefix);
    assert.throws(() => Deno.lstatSync(prefix), Deno.errors.NotFound);
  },
);

Deno.test("nothing of others is replaced or removed [FR-903]", async () => {
  await using dir = TempDir.make();
  const prefix = dir.path;
  Deno.mkdirSync(`${prefix}/bin`);
  Deno.writeTextFileSync(`${prefix}/bin/pbkfs`, "somebody's\n");
  const before = listing(prefix);
  const refused = await runScript(["install", "--prefix", prefix]);
  assert.equal(refused.code, 1);
  assert(refused.stderr.includes(`${prefix}/bin/pbkfs is there already`), refused.stderr);
  assert.deepEqual(listing(prefix), before, "and nothing is left behind");
  assert.equal(Deno.readTextFileSync(`${prefix}/bin/pbkfs`), "somebody's\n");
  const nothing = await runScript(["uninstall", "--prefix", prefix]);
  assert.equal(nothing.code, 1);
  assert.match(nothing.stderr, /^pbkfs is not installed in /);

  Deno.removeSync(`${prefix}/bin/pbkfs`);
  await install(prefix);
  Deno.writeTextFileSync(`${prefix}/bin/other`, "");
  Deno.writeTextFileSync(`${prefix}/share/man/man1/pbkfs.1`, "changed");
  const said = await uninstall(prefix);
  assert(said.includes(`${prefix}/share/man/man1/pbkfs.1 stays`), said);
  assert.deepEqual(listing(prefix).filter((path) => !path.endsWith("/")), [
    "bin/other",
    "share/man/man1/pbkfs.1",
  ]);
});
