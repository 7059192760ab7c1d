/** What goes with pbkfs on a machine says what pbkfs says. */

import assert from "node:assert/strict";
import { COMMANDS } from "../cli/commands.ts";
import { manPage } from "../cli/man_page.ts";
import { CODES } from "../errors.ts";
import { findInstallation } from "../postgres/mod.ts";
import { runCli } from "./support/cli.ts";
import { receiveDatagrams } from "./support/datagrams.ts";
import { isMounted } from "./support/mounts.ts";
import { mountArguments } from "./support/mount_backup.ts";
import { Scene } from "./support/scene.ts";
import { mountObstacle, serverObstacle, testUnless } from "./support/skip.ts";
import { isRoot, ordinaryUser } from "./support/users.ts";

const read = (path: string) =>
  Deno.readTextFileSync(new URL(`../contrib/${path}`, import.meta.url));

Deno.test("the manual page tells all commands, options and exit statuses [FR-762]", async () => {
  const { code, stdout } = await runCli(["man"]);
  assert.equal(code, 0);
  assert.equal(stdout, manPage(COMMANDS));
  const plain = stdout.replaceAll("\\-", "-");
  for (const { name, options } of COMMANDS) {
    assert.match(plain, new RegExp(`^\\.SS "pbkfs ${name}`, "m"));
    for (const { long } of options) assert(plain.includes(`\\fB${long}\\fR`), long);
  }
  for (const { exitCode, when } of Object.values(CODES)) {
    assert(stdout.includes(`\n.B ${exitCode}\n`), `${exitCode}`);
    assert(plain.includes(when), when);
  }
});

Deno.test("docs/pbkfs.1 is what pbkfs man prints [FR-762]", () => {
  assert.equal(
    read("../docs/pbkfs.1"),
    manPage(COMMANDS),
    "run: deno run -A cli.ts man > docs/pbkfs.1",
  );
});

Deno.test("the unit and the container use commands and options that there are [FR-767]", () => {
  const files = ["systemd/pbkfs@.service", "container/entrypoint.sh", "logrotate/pbkfs"];
  const lines = files.flatMap((path) => read(path).replaceAll("\\\n", " ").split("\n"))
    .flatMap((line) => /(?:bin\/|^)pbkfs ([a-z]+) ([^|]*)/.exec(line)?.slice(1) ?? []);
  assert(lines.length >= 8);
  for (let at = 0; at < lines.length; at += 2) {
    const command = COMMANDS.find(({ name }) => name === lines[at]);
    assert(command !== undefined, lines[at]);
    for (const [, name] of (lines[at + 1] ?? "").matchAll(/(?:^|[ "])(--?[A-Za-z][a-z-]*)/g)) {
      const isKnown = command.options.some(({ short, long }) => name === short || name === long);
      assert(isKnown, `${command.name} ${name}`);
    }
  }
});

testUnless(
  mountObstacle(),
  "in the foreground nobody watches; the unit takes a dead mount away, and mounts again [FR-774]",
  async () => {
    const unit = read("systemd/pbkfs@.service");
    assert.match(unit, /^Restart=on-abnormal$/m);
    const [, words = ""] = /^ExecStopPost=-\S+\/pbkfs (.*)$/m.exec(unit) ?? [];
    await using scene = await Scene.open({ fixture: "zlib-chain", owner: ordinaryUser() });
    const cli = new URL("../cli.ts", import.meta.url).pathname;
    const args = [...mountArguments(scene.mountOptions("TOTL9U")), "--foreground"];
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", cli, ...args],
      stderr: "null",
    }).spawn();
    const isServing = async () => (await runCli(["status", "-D", scene.mountDir])).code === 0;
    while (!await isServing()) await new Promise((resolve) => setTimeout(resolve, 20));
    const { stdout } = await runCli(["status", "-D", scene.mountDir]);
    assert.match(stdout, /^deaths +none; after the next one, nobody mounts again$/m);
    child.kill("SIGKILL");
    assert.equal((await child.status).signal, "SIGKILL");
    assert.equal((await runCli(args)).code, CODES.MountDirBusy.exitCode, "it is dead, but there");
    const after = words.replace("${MOUNT}", scene.mountDir).split(" ");
    const { code, stderr } = await runCli(after);
    assert.equal(code, 0, stderr);
    await using again = await scene.mount();
    assert.match(again.printed.stderr, /was not unmounted: .* died/);
  },
);

testUnless(
  mountObstacle(),
  "in the foreground, a mount tells its service manager when it is ready [FR-768]",
  async () => {
    await using scene = await Scene.open({ fixture: "zlib-chain", owner: ordinaryUser() });
    await using receiver = await receiveDatagrams(`${scene.dirPath}/notify`);
    const cli = new URL("../cli.ts", import.meta.url).pathname;
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", cli, ...mountArguments(scene.mountOptions("TOTL9U")), "--foreground"],
      env: { NOTIFY_SOCKET: `${scene.dirPath}/notify` },
      stderr: "piped",
    }).spawn();
    while (receiver.messages.length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    assert.deepEqual(receiver.messages, ["READY=1"]);
    assert(isMounted(scene.mountDir));
    child.kill("SIGTERM");
    const { code, stderr } = await child.output();
    assert.equal(code, 0);
    const text = new TextDecoder().decode(stderr);
    assert.match(text, / info mounted .*\n(.*\n)*.* info unmounted/, "the log is on stderr");
  },
);

testUnless(
  mountObstacle(),
  "after a signal, a mount in the foreground ends as soon as nobody uses it any more [FR-942]",
  async () => {
    await using scene = await Scene.open({ fixture: "zlib-chain", owner: ordinaryUser() });
    const cli = new URL("../cli.ts", import.meta.url).pathname;
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", cli, ...mountArguments(scene.mountOptions("TOTL9U")), "--foreground"],
      stderr: "piped",
    }).spawn();
    const reader = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
    let said = "";
    const until = async (wanted: RegExp) => {
      while (!wanted.test(said)) {
        const { done, value = "" } = await reader.read();
        assert(!done, `it ended before it said ${wanted}: ${said}`);
        said += value;
      }
    };
    await until(/interrupt to unmount/);
    const user = Deno.openSync(`${scene.mountDir}/PG_VERSION`);
    child.kill("SIGTERM");
    await until(/warning .*in use.*: unmounted as soon as nobody uses it/);
    assert(isMounted(scene.mountDir));
    child.kill("SIGTERM"); // Once more changes nothing.
    user.close();
    await until(/ info unmounted/);
    assert.equal((await child.status).code, 0);
    assert(!isMounted(scene.mountDir));
    await reader.cancel();
  },
);

Deno.test("the container example is built for the version that is asked for, and of what there is [FR-944]", () => {
  const dockerfile = read("container/Dockerfile");
  const [beforeFrom = "", ...stages] = dockerfile.split(/^(?=FROM )/m);
  assert.match(beforeFrom, /^ARG PG=15$/m, "for the image below");
  const last = stages.at(-1) ?? "";
  assert.match(last, /^FROM postgres:\$\{PG\}-bookworm\nARG PG=15$/m);
  assert.match(last, /^ENV .*\bPG=\$\{PG\}/m, "for the entry point");
  assert.doesNotMatch(dockerfile, /postgresql-\$/, "Debian has one version only");
  for (const [, path] of last.matchAll(/^COPY ([a-z]\S*) /gm)) {
    assert(Deno.statSync(new URL(`../${path}`, import.meta.url)).isFile, path);
  }
  assert.match(read("container/entrypoint.sh"), /^bin=\/usr\/lib\/postgresql\/\$PG\/bin$/m);
  assert.match(read("container/entrypoint.sh"), / -p 5432 /, "whatever the backup says");
  const [, given = ""] = /PG: "(\d+)"/.exec(read("container/compose.yaml")) ?? [];
  assert(["15", "16", "17", "18"].includes(given), given);
});

for (const [majorVersion, fixture] of [[15, "zlib-chain"], [17, "pg17-chain"]] as const) {
  testUnless(
    mountObstacle() ?? serverObstacle(majorVersion) ??
      (isRoot() ? undefined : "in a container it runs as root"),
    `the container's entry point serves PostgreSQL ${majorVersion}, and ends when it is told to [FR-944]`,
    async () => {
      await using scene = await Scene.open({ fixture, owner: ordinaryUser(), majorVersion });
      const { binDir } = findInstallation(majorVersion);
      const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const port = `${listener.addr.port}`;
      listener.close();
      // The places of a container, in a directory of ours.
      const script = read("container/entrypoint.sh")
        .replaceAll("/opt/pbkfs/cli.ts", new URL("../cli.ts", import.meta.url).pathname)
        .replaceAll("/catalog", scene.catalogDir)
        .replaceAll("/pgdata", scene.mountDir)
        .replaceAll("/diff/clone", scene.diffDir)
        .replaceAll("directories=/tmp", `directories=${scene.dirPath}`)
        .replaceAll("-p 5432", `-p ${port}`)
        .replaceAll(/^bin=.*$/gm, `bin=${binDir}`);
      const child = new Deno.Command("sh", { args: ["-c", script], stdout: "null", stderr: "null" })
        .spawn();
      let isOver = false;
      const status = child.status.finally(() => isOver = true);
      const socket = `${scene.dirPath}/.s.PGSQL.${port}`;
      const isReady = () => {
        try {
          return Deno.statSync(socket).isSocket &&
            /\nready$/.test(Deno.readTextFileSync(`${scene.mountDir}/postmaster.pid`).trimEnd());
        } catch {
          return false; // Not yet.
        }
      };
      while (!isReady()) {
        assert(!isOver, "it ended before its server was ready");
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      child.kill("SIGTERM");
      const { code } = await status;
      assert.throws(() => Deno.statSync(socket), "the server has stopped");
      assert(!isMounted(scene.mountDir));
      if (code === 0) return;
      // Containers and tests that run beside this one may keep a copy of the mount.
      assert.equal(code, CODES.MountKept.exitCode);
      assert.equal((await runCli(["unmount", "--force", "-d", scene.diffDir])).code, 0);
    },
  );
}
