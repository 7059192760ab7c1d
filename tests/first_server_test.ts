/** The first server on a clone: it starts by the command that `mount` prints, whatever production had. */

import assert from "node:assert/strict";
import { findInstallation } from "../postgres/mod.ts";
import { runCli } from "./support/cli.ts";
import type { FixtureName } from "./support/fixtures.ts";
import { isMounted } from "./support/mounts.ts";
import { Scene } from "./support/scene.ts";
import { parseDocument } from "./support/schema.ts";
import { mountObstacle, serverObstacle, testUnless } from "./support/skip.ts";
import { commandAs, type Identity, isRoot, ordinaryUser } from "./support/users.ts";

/** What this machine does not have, as a backup's configuration may name it. */
const PRODUCTION = `
unix_socket_directories = '/nonexistent/sockets'
unix_socket_group = 'pbkfs_no_such_group'
logging_collector = on
log_directory = '/nonexistent/log'
ssl = on
ssl_cert_file = '/nonexistent/server.crt'
ssl_key_file = '/nonexistent/server.key'
ssl_ca_file = '/nonexistent/root.crt'
external_pid_file = '/nonexistent/pid'
data_directory = '/nonexistent/data'
hba_file = '/nonexistent/pg_hba.conf'
huge_pages = on
shared_preload_libraries = 'pbkfs_no_such_library, $libdir/pbkfs_no_such_other'
session_preload_libraries = 'pbkfs_no_such_library'
lc_messages = 'xx_XX.UTF-8'
lc_monetary = 'xx_XX.UTF-8'
port = 5432
`;

const BACKUPS: Readonly<Record<number, readonly [FixtureName, string]>> = {
  15: ["zlib-chain", "TOTL9U"],
  17: ["pg17-chain", "TOTLRS"],
};

function open(majorVersion: number, options: { readonly ownerMounts?: boolean } = {}) {
  const [fixture] = BACKUPS[majorVersion]!;
  return Scene.open({ fixture, owner: ordinaryUser(), majorVersion, ...options });
}

const mount = (scene: Scene, majorVersion: number, extra: string[] = []) =>
  scene.mount(BACKUPS[majorVersion]![1], { extra });

async function inShell(line: string, user?: Identity) {
  const [program = "", ...args] = commandAs(user, ["sh", "-c", line]);
  const job = { args, cwd: "/", env: { LC_ALL: "C" }, stdin: "null" } as const;
  const { code, stdout, stderr } = await new Deno.Command(program, job).output();
  const text = new TextDecoder();
  return { code, said: text.decode(stdout) + text.decode(stderr) };
}

async function succeed(line: string, user?: Identity): Promise<string> {
  const { code, said } = await inShell(line, user);
  assert.equal(code, 0, `${line}: ${said}`);
  return said;
}

/** Puts what production may have set into the clone's files, as a backup would have it. */
async function spoil(scene: Scene, majorVersion: number): Promise<void> {
  await using _mount = await mount(scene, majorVersion);
  const path = `${scene.mountDir}/postgresql.conf`;
  const text = Deno.readTextFileSync(path);
  Deno.writeTextFileSync(path, text.replace("include 'pbkfs.conf'\n", "") + PRODUCTION);
}

/** The command lines that `mount` has printed, by who is to give them. */
function startLines(stderr: string): { readonly asRoot?: string; readonly asUser: string } {
  const lines = stderr.split("\n").filter((line) => /\/pg_ctl .* start$/.test(line));
  const asRoot = lines.map((line) => /^ {2}as root: (.*)$/.exec(line)?.[1])
    .find((line) => line !== undefined);
  const asUser = (lines.at(-1) ?? "").replace(/^ {2}(as \S+: )?/, "");
  return { asUser, ...(asRoot !== undefined && { asRoot }) };
}

for (
  const [majorVersion, ownerMounts] of [[15, false], [15, true], [17, false], [17, true]] as const
) {
  const who = ownerMounts ? "the owner" : "root, or whoever tests";
  const obstacle = mountObstacle(ownerMounts ? "ordinary user" : "us") ??
    serverObstacle(majorVersion) ??
    (!ownerMounts && !isRoot() ? "it is the same for whoever is not root" : undefined);
  testUnless(
    obstacle,
    `PostgreSQL ${majorVersion} starts as printed for ${who}, and is stopped at the unmount [FR-921]`,
    async () => {
      await using scene = await open(majorVersion, { ownerMounts });
      if (!ownerMounts) await spoil(scene, majorVersion);
      await using mounted = await mount(scene, majorVersion);
      const { stderr } = mounted.printed;
      const { asRoot, asUser } = startLines(stderr);
      assert.match(
        stderr,
        new RegExp(`^start PostgreSQL ${majorVersion} as \\S+; port 5\\d+ is`, "m"),
      );
      assert.equal(asRoot === undefined, ownerMounts || !isRoot(), stderr);
      if (!ownerMounts) {
        assert.match(
          stderr,
          /preloads pbkfs_no_such_library, \$libdir\/pbkfs_no_such_other, which/,
        );
        assert.match(stderr, /"xx_XX\.UTF-8" is not on this machine: .* lc_messages, lc_monetary/);
      }
      const port = /-p (\d+)/.exec(asUser)?.[1];
      const { binDir } = findInstallation(majorVersion);
      const ask = (sql: string) =>
        succeed(
          `${binDir}/psql -XqAt -U postgres -h ${scene.mountDir} -p ${port} -d postgres -c "${sql}"`,
          scene.owner,
        );
      if (asRoot !== undefined) {
        await succeed(asRoot);
        assert.equal(await ask("select 1"), "1\n");
        await succeed(`${binDir}/pg_ctl -D ${scene.mountDir} -w stop`, scene.owner);
      }
      await succeed(asUser, scene.owner);
      const directories = (await ask("show unix_socket_directories")).trim().split(", ");
      assert.equal(directories.at(-1), ".");

      const user = ownerMounts ? scene.owner : undefined;
      const busy = await runCli(["unmount", "-D", scene.mountDir], { user });
      assert.equal(busy.code, 43, busy.stderr);
      const stop = /stop the server first: (.*)$/m.exec(busy.stderr)?.[1] ?? "";
      assert.match(stop, /pg_ctl -D \S+ -m fast -w stop$/);
      await succeed(stop, user);
      await succeed(asUser, scene.owner);
      const done = await runCli(["unmount", "-D", scene.mountDir, "--stop-server"], { user });
      assert.equal(done.code, 0, done.stderr);
      assert.match(done.stderr, /^stopped the server on/m);
      assert(!isMounted(scene.mountDir));
    },
  );
}

for (const [majorVersion, other] of [[15, 17], [17, 15]] as const) {
  testUnless(
    mountObstacle() ?? serverObstacle(majorVersion) ?? serverObstacle(other),
    `a server of ${other} says that the clone needs ${majorVersion}, and nothing of settings [FR-922]`,
    async () => {
      await using scene = await open(majorVersion);
      await using _mount = await mount(scene, majorVersion);
      const { binDir } = findInstallation(other);
      const line = `${binDir}/postgres -D ${scene.mountDir} -p 5999`;
      const { code, said } = await inShell(line, scene.owner);
      assert.equal(code, 1);
      assert.match(said, new RegExp(`initialized by PostgreSQL version ${majorVersion}, which is`));
      assert.doesNotMatch(said, /unrecognized/);
    },
  );
}

testUnless(
  mountObstacle(),
  "mount --json tells the mount and how to start a server [FR-924]",
  async () => {
    await using scene = await open(15);
    await using mounted = await mount(scene, 15, ["--json"]);
    const document = parseDocument("mount", mounted.printed.stdout);
    assert.deepEqual(
      [document.mountPath, document.diffPath, document.instance, document.backupId],
      [scene.mountDir, scene.diffDir, "main", "TOTL9U"],
    );
    assert.equal(document.server.version, "15");
    assert.equal(document.server.user.uid, scene.owner.uid);
    if (serverObstacle(15) !== undefined) return;
    await succeed(document.server.commands.start);
    await succeed(document.server.commands.stop);
  },
);
