/** What commands say, and leave behind, when something is not as it should be. */

import assert from "node:assert/strict";
import { listBackups, mount, mountStatus, openBackup, resolveChain, unmount } from "../mod.ts";
import { waitUntilReaped } from "../postgres/mod.ts";
import { type Code, CODES, isDenied, PbkfsError, plainText, toPbkfsError } from "../errors.ts";
import { runCli } from "./support/cli.ts";
import { unpackFixture } from "./support/fixtures.ts";
import { mountArguments } from "./support/mount_backup.ts";
import { detachMounts, isMounted } from "./support/mounts.ts";
import { Scene } from "./support/scene.ts";
import { parseDocument } from "./support/schema.ts";
import { mountObstacle, testUnless } from "./support/skip.ts";
import { TempDir } from "./support/temp_dir.ts";
import { type Identity, isRoot, ordinaryUser } from "./support/users.ts";

const CLI = new URL("../cli.ts", import.meta.url).pathname;
const open = (options: { readonly ownerMounts?: boolean } = {}) =>
  Scene.open({ fixture: "zlib-chain", owner: ordinaryUser(), ...options });

function isThere(path: string): boolean {
  try {
    return Deno.lstatSync(path) !== undefined;
  } catch {
    return false;
  }
}

Deno.test("help of a command that there is not is an error that names what was meant [FR-930]", async () => {
  const { code, stdout, stderr } = await runCli(["help", "moutn"]);
  assert.equal(code, CODES.Usage.exitCode);
  assert.equal(stdout, "");
  assert.match(stderr, /^pbkfs: unknown command 'moutn'\n\(Did you mean mount\?\)/);
  assert.match((await runCli(["help", "mount"])).stdout, /^Usage: pbkfs mount /);
});

Deno.test("no message has the number of an error of the system in it [FR-931]", async () => {
  await using dir = TempDir.make();
  const gone = `${dir.path}/nowhere`;
  for (
    const args of [
      ["cleanup", "-d", gone],
      ["mount", "-B", gone, "-d", `${dir.path}/diff`, "-D", `${gone}/deeper`],
      ["show", "-B", gone],
      ["doctor", "-B", gone, "-d", gone, "-D", `${gone}/deeper`],
      ["unmount", "-D", gone],
    ]
  ) {
    const { code, stdout, stderr } = await runCli(args);
    assert.notEqual(code, 0);
    assert.doesNotMatch(stdout + stderr, /os error/);
    assert.match(stdout + stderr, /nowhere/);
  }
  assert.equal(plainText("a (os error 2): b (os error 13)"), "a: b");
  assert.equal(new PbkfsError("Io", { what: "No (os error 5)" }).message, "No");
});

Deno.test("what the system does not allow is PermissionDenied, wherever it comes from [FR-932]", () => {
  const denied = [
    new Deno.errors.PermissionDenied("x"),
    new PbkfsError("Io", { what: "x", errno: 13 }),
    new PbkfsError("Bug", { what: "x", errno: 1 }),
    Object.assign(new Error("x"), { code: "EACCES" }),
  ];
  for (const error of denied) {
    assert(isDenied(error));
    assert.equal(toPbkfsError(error).code, "PermissionDenied");
  }
  assert.equal(toPbkfsError(new Error("x")).code, "Bug");
  assert.equal(
    toPbkfsError(new PbkfsError("MountBusy", { what: "x", errno: 1 })).code,
    "MountBusy",
  );
});

testUnless(
  isRoot() ? mountObstacle("ordinary user") : "only root can make what others may not see",
  "permission errors of every command are 53 [FR-932]",
  async () => {
    await using scene = await open();
    const user = { uid: 65534, gid: 65534 };
    const closed = `${scene.dirPath}/closed`;
    Deno.mkdirSync(closed, { mode: 0o700 });
    Deno.mkdirSync(`${closed}/diff`);
    Deno.chmodSync(scene.dirPath, 0o755);
    await new Deno.Command("chmod", { args: ["-R", "a+rX", scene.catalogDir] }).output();
    await using mine = TempDir.make(user);
    const own = { catalog: scene.catalogDir, diff: `${mine.path}/diff`, mount: `${mine.path}/m` };
    const mountOf = (changed: Partial<typeof own>) => {
      const { catalog, diff, mount } = { ...own, ...changed };
      return ["mount", "-B", catalog, "-d", diff, "-D", mount];
    };
    const refused = [
      ["show", "-B", closed],
      ["cleanup", "-d", `${closed}/diff`],
      mountOf({ catalog: closed }),
      mountOf({ diff: `${closed}/diff` }),
      mountOf({ diff: `${scene.dirPath}/new` }),
      mountOf({ mount: `${closed}/mount` }),
      mountOf({ mount: `${scene.dirPath}/new` }),
      [...mountOf({}), "--log-sink", `file:${closed}/log`],
    ];
    for (const args of refused) {
      const { code, stderr } = await runCli(args, { user });
      assert.equal(code, CODES.PermissionDenied.exitCode, `${args.join(" ")}: ${stderr}`);
      assert(!isThere(own.mount), "nothing is left");
    }
  },
);

Deno.test("show -i latest shows what mount would take [FR-933]", async () => {
  await using fixture = await unpackFixture("damaged");
  const args = ["show", "-B", fixture.catalogPath, "-i", "latest"];
  const { code, stdout, stderr } = await runCli([...args, "--json"]);
  assert.equal(code, 0, stderr);
  const [instance] = parseDocument("show", stdout).instances;
  const { members } = await resolveChain({ catalogPath: fixture.catalogPath });
  assert.deepEqual(
    instance.backups.map(({ id }: { id: string }) => id),
    members.map(({ id }) => id),
  );
  assert.match((await runCli(args)).stdout, new RegExp(`^ +chain +.*${members.at(-1)?.id}$`, "m"));
});

testUnless(mountObstacle(), "status --watch ends when nobody reads any more [FR-934]", async () => {
  await using scene = await open();
  await using _mount = await scene.mount("TOTL9U");
  const script = `${Deno.execPath()} run -A ${CLI} status --watch 0.1 | head -n 1; ` +
    'echo "${PIPESTATUS[0]}"';
  const signal = AbortSignal.timeout(60_000);
  const { stdout, stderr } = await new Deno.Command("bash", { args: ["-c", script], signal })
    .output();
  assert.match(new TextDecoder().decode(stdout), /\n0\n$/);
  assert.equal(new TextDecoder().decode(stderr), "");
});

/** Ends the process behind a mount, and returns when it has ended. */
async function kill(mountDir: string, signal: Deno.Signal, user: Identity | undefined) {
  const { stdout } = await runCli(["status", "-D", mountDir, "--json"], { user });
  const { pid } = JSON.parse(stdout).mounts[0];
  Deno.kill(pid, signal);
  await waitUntilReaped([pid]);
}

for (const ownerMounts of [false, true]) {
  testUnless(
    mountObstacle(ownerMounts ? "ordinary user" : "us"),
    `a missing mount directory is made, and goes with the mount, ${
      ownerMounts ? "of an ordinary user" : "of who tests"
    } [FR-935]`,
    async () => {
      await using scene = await open({ ownerMounts });
      const user = ownerMounts ? scene.owner : undefined;
      const mountDir = `${scene.dirPath}/made`;
      const options = scene.mountOptions("TOTL9U", { mountDir });
      {
        const refused = await runCli(mountArguments({ ...options, backupId: "ABCDEF" }), { user });
        assert.equal(refused.code, CODES.BackupMissing.exitCode, refused.stderr);
        assert(!isThere(mountDir), "a mount that is refused leaves nothing");
        const failed = await runCli(mountArguments(options), {
          user,
          env: { PBKFS_LIBFUSE: "/nonexistent" },
        });
        assert.equal(failed.code, CODES.LibraryMissing.exitCode, failed.stderr);
        const late = await runCli(
          [...mountArguments(options), "--log-sink", "file:/nonexistent/x"],
          {
            user,
          },
        );
        assert.notEqual(late.code, 0);
        assert(!isThere(mountDir) && !isThere(scene.diffDir), "nor does one that fails");
      }
      for (const end of ["unmount", "SIGTERM", "SIGKILL"] as const) {
        if (ownerMounts && end === "SIGTERM") continue; // It is the same.
        await using mounted = await scene.mount("TOTL9U", { mountDir, restart: false });
        if (end !== "unmount") await kill(mountDir, end, user);
        if (end !== "SIGTERM") await mounted.unmount();
        assert(!isThere(mountDir), end);
      }
      {
        await using _mount = await scene.mount(undefined, { mountDir: scene.mountDir });
      }
      assert(isThere(scene.mountDir), "one that was there stays");
      {
        await using mounted = await scene.mount("TOTL9U", { mountDir, restart: false });
        await kill(mounted.mountDir, "SIGKILL", user);
        detachMounts(mountDir); // As after a restart of the machine: nobody has unmounted it.
      }
      assert(isThere(mountDir));
      const done = await runCli(["cleanup", "-d", scene.diffDir, "--yes"], { user });
      assert.equal(done.code, 0, done.stderr);
      assert(!isThere(mountDir), "cleanup takes it away as well");
    },
  );
}

testUnless(
  mountObstacle(),
  "a diff mounted with another catalog says whose it is [FR-936]",
  async () => {
    await using scene = await open();
    await using other = await unpackFixture("damaged");
    {
      await using _mount = await scene.mount("TOTL9U");
    }
    const args = ["mount", "-d", scene.diffDir, "-D", scene.mountDir, "-B", other.catalogPath];
    const { code, stderr } = await runCli(args);
    assert.equal(code, CODES.DiffForeign.exitCode, stderr);
    assert(stderr.includes(`belongs to backup TOTL9U of instance "main" in the catalog`), stderr);
    assert(stderr.includes(other.catalogPath) && stderr.includes(scene.catalogDir), stderr);
    assert(!isMounted(scene.mountDir));
  },
);

testUnless(
  mountObstacle(),
  "cleanup --dry-run shows what would go, and removes nothing [FR-937]",
  async () => {
    await using scene = await open();
    {
      await using _mount = await scene.mount("TOTL9U");
    }
    const before = [...Deno.readDirSync(scene.diffDir)].map(({ name }) => name).sort();
    const { code, stderr } = await runCli(["cleanup", "-d", scene.diffDir, "--dry-run"]);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /metadata\.sqlite/);
    assert.match(stderr, /nothing was removed\n$/);
    assert.deepEqual([...Deno.readDirSync(scene.diffDir)].map(({ name }) => name).sort(), before);
  },
);

Deno.test("wrong arguments of the library are Usage, before anything is looked at [FR-938]", async () => {
  // deno-lint-ignore no-explicit-any -- as JavaScript would call it
  const any = (value: unknown) => value as any;
  const calls: (() => Promise<unknown>)[] = [
    () => listBackups(any(undefined)),
    () => listBackups(any({ catalogPath: 5 })),
    () => resolveChain(any({})),
    () => resolveChain(any({ catalogPath: "/x", backupId: 7 })),
    () => resolveChain(any({ catalogPath: "" })),
    () => openBackup(any({})),
    () => openBackup(any({ catalogPath: "/x", instance: "main", members: [] })),
    () => mount(any({})),
    () => mount(any({ diffPath: "/x", wal: "away" })),
    () => mount(any({ diffPath: "/x", waitMs: -1 })),
    () => mount(any({ diffPath: "/x\0y" })),
    () => unmount(any({ mountPath: 1 })),
    () => unmount({}),
    () => mountStatus(any(undefined)),
  ];
  const codes: Code[] = [];
  for (const call of calls) {
    const error = await call().then(() => undefined, (error) => error);
    assert(error instanceof PbkfsError, String(error));
    assert.notEqual(error.todo, "");
    codes.push(error.code);
  }
  assert.deepEqual(codes, calls.map(() => "Usage"));
});

testUnless(
  mountObstacle(),
  "logs shows the last lines of a mount's log, escaped, and follows it when it is replaced [FR-939]",
  async () => {
    await using scene = await open();
    const elsewhere = `${scene.dirPath}/other.log`;
    {
      await using _mount = await scene.mount("TOTL9U", {
        extra: ["--log-sink", `file:${elsewhere}`],
      });
      const found = await runCli(["logs", "-D", scene.mountDir]);
      assert.match(found.stdout, / info mounted /);
      assert.equal(found.stdout, Deno.readTextFileSync(elsewhere));
    }
    await using _mount = await scene.mount();
    const log = `${scene.diffDir}/pbkfs.log`;
    const first = Array.from({ length: 30_000 }, (_, at) => `line ${at} \u00fc`).join("\n");
    Deno.writeTextFileSync(log, `${first}\n\x1b[2Jharm\n`, { append: true });
    for (const place of [["-D", scene.mountDir], ["-d", scene.diffDir]]) {
      const { code, stdout, stderr } = await runCli(["logs", ...place, "-n", "3"]);
      assert.equal(code, 0, stderr);
      assert.equal(stdout, "line 29998 ü\nline 29999 ü\n\\x1b[2Jharm\n");
    }
    assert.equal((await runCli(["logs", "-d", scene.diffDir])).stdout.split("\n").length, 51);
    const all = await runCli(["logs", "-d", scene.diffDir, "-n", "999999"]);
    assert.equal(all.stdout.split("\n").filter((line) => line.startsWith("line ")).length, 30_000);

    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", CLI, "logs", "-d", scene.diffDir, "-n", "1", "--follow"],
      stdout: "piped",
    }).spawn();
    let text = "";
    for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      if (text === "\\x1b[2Jharm\n") Deno.writeTextFileSync(log, "one\ntw", { append: true });
      if (text.endsWith("one\n")) {
        Deno.writeTextFileSync(log, "o\n", { append: true });
      }
      if (text.endsWith("two\n")) {
        Deno.renameSync(log, `${log}.1`);
        Deno.writeTextFileSync(log, "new\n");
      }
      if (text.endsWith("new\n")) break;
    }
    child.kill("SIGINT");
    await child.status;
    assert.equal(text, "\\x1b[2Jharm\none\ntwo\nnew\n");
  },
);

Deno.test("logs of what has none is refused [FR-939]", async () => {
  await using dir = TempDir.make();
  for (
    const [args, code] of [
      [["-d", `${dir.path}/nowhere`], "DiffMissing"],
      [["-d", dir.path], "DiffMissing"],
      [["-D", dir.path], "NotMounted"],
      [[], "Usage"],
      [["-d", dir.path, "-n", "many"], "Usage"],
    ] as const
  ) {
    const { code: status, stdout } = await runCli(["logs", ...args]);
    assert.equal(status, CODES[code].exitCode, args.join(" "));
    assert.equal(stdout, "");
  }
});
