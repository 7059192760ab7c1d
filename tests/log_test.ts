/** What a mount's process tells: life events, errors of requests, and requests when tracing. */

import assert from "node:assert/strict";
import { CODES } from "../errors.ts";
import { runCli } from "./support/cli.ts";
import { receiveDatagrams } from "./support/datagrams.ts";
import { mountArguments } from "./support/mount_backup.ts";
import { Scene } from "./support/scene.ts";
import { mountObstacle, testUnless } from "./support/skip.ts";
import { ordinaryUser } from "./support/users.ts";

const open = () => Scene.open({ fixture: "zlib-chain", owner: ordinaryUser() });
const linesOf = (path: string) => Deno.readTextFileSync(path).trimEnd().split("\n");

async function pidOf({ mountDir }: Scene): Promise<number> {
  const { stdout } = await runCli(["status", "-D", mountDir, "--json"]);
  return JSON.parse(stdout).mounts[0].pid;
}

async function until(isTrue: () => boolean, what: string): Promise<void> {
  for (let tries = 0; tries < 250; tries++) {
    if (isTrue()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.fail(`it did not come to that: ${what}`);
}

testUnless(
  mountObstacle(),
  "the log in the diff has one line a life event, and none a request [FR-757]",
  async () => {
    await using scene = await open();
    const mount = await scene.mount("TOTL9U");
    Deno.readTextFileSync(`${scene.mountDir}/postgresql.conf`);
    await mount.unmount();
    const lines = linesOf(`${scene.diffDir}/pbkfs.log`);
    assert.match(
      lines[0] ?? "",
      /^\d{4}-\d\d-\d\dT\S+Z info mounted mount=\S+ diff=\S+ .*backup=TOTL9U/,
    );
    assert.match(lines.at(-1) ?? "", /Z info unmounted, all is on disk$/);
    assert(lines.length <= 3, lines.join("\n"));
    assert.equal((Deno.statSync(`${scene.diffDir}/pbkfs.log`).mode ?? 0) & 0o777, 0o600);
  },
);

testUnless(
  mountObstacle(),
  "as JSON, each line is an object; a file of one's own can be named [FR-757]",
  async () => {
    await using scene = await open();
    const path = `${scene.dirPath}/my.log`;
    const extra = ["--log-format", "json", "--log-sink", `file:${path}`];
    await (await scene.mount("TOTL9U", { extra })).unmount();
    const events = linesOf(path).map((line) => JSON.parse(line));
    assert.equal(events[0].message, "mounted");
    assert.equal(events[0].backup, "TOTL9U");
    assert.equal(events.at(-1).level, "INFO");
    assert.match(events.at(-1).message, /^unmounted/);
  },
);

testUnless(
  mountObstacle(),
  "a log that was renamed goes on in a new file after SIGHUP [FR-757]",
  async () => {
    await using scene = await open();
    const mount = await scene.mount("TOTL9U");
    const path = `${scene.diffDir}/pbkfs.log`;
    Deno.renameSync(path, `${path}.1`);
    Deno.kill(await pidOf(scene), "SIGHUP");
    await until(
      () => [...Deno.readDirSync(scene.diffDir)].some(({ name }) => name === "pbkfs.log"),
      path,
    );
    await mount.unmount();
    assert.match(linesOf(path).join("\n"), /info unmounted/);
    assert.doesNotMatch(linesOf(`${path}.1`).join("\n"), /info unmounted/);
  },
);

testUnless(
  mountObstacle(),
  "an error of a request is logged with its code and what led to it [FR-757]",
  async () => {
    await using scene = await open();
    const stored = `${scene.catalogDir}/backups/main/TOTL93/database/PG_VERSION`;
    const mount = await scene.mount("TOTL93");
    Deno.removeSync(stored);
    assert.throws(() => Deno.readTextFileSync(`${scene.mountDir}/PG_VERSION_OLD`));
    damage(scene);
    assert.throws(() => Deno.readFileSync(`${scene.mountDir}/global/pg_control`));
    const path = `${scene.diffDir}/pbkfs.log`;
    await until(() => / error read failed: .*code=/.test(Deno.readTextFileSync(path)), "an error");
    await mount.unmount();
  },
);

testUnless(
  mountObstacle(),
  "--trace has a line a request and one a reply, under one number [FR-758]",
  async () => {
    await using scene = await open();
    const mount = await scene.mount("TOTL9U", { extra: ["--trace"] });
    Deno.writeTextFileSync(`${scene.mountDir}/new`, "x".repeat(10_000));
    const file = Deno.openSync(`${scene.mountDir}/new`);
    file.syncSync();
    file.close();
    Deno.readFileSync(`${scene.mountDir}/global/1262`);
    await mount.unmount();
    const replies = new Map<string, string[]>();
    for (const line of linesOf(`${scene.diffDir}/pbkfs.log`)) {
      const [, number = "", text = ""] = / trace (\d+) (.*)/.exec(line) ?? [];
      if (number !== "") replies.set(number, [...replies.get(number) ?? [], text]);
    }
    const pairs = [...replies.values()];
    const expected = [
      [/^create inode=1 .*name="new"/, "ok"],
      [/^write inode=\d+ at=0 size=10000$/, "ok 10000"],
      [/^read inode=\d+ at=0 size=\d+$/, "ok 8192"],
      [/^fsync inode=\d+ /, "ok"],
    ] as const;
    for (const [request, reply] of expected) {
      const found = pairs.some(([asked = "", answer]) => request.test(asked) && answer === reply);
      assert(found, `${request} with "${reply}"`);
    }
    const wrong = pairs.filter((pair) => pair.length !== 2);
    assert.deepEqual(wrong, [], "each request has one reply");
  },
);

testUnless(
  mountObstacle(),
  "the log goes to syslog and journald by their own sockets [FR-759]",
  async () => {
    for (const sink of ["syslog", "journald"]) {
      await using scene = await open();
      await using receiver = await receiveDatagrams(`${scene.dirPath}/socket`);
      const extra = ["--log-sink", `${sink}:${scene.dirPath}/socket`];
      await (await scene.mount("TOTL9U", { extra })).unmount();
      await until(() => receiver.messages.some((text) => /unmounted/.test(text)), sink);
      const [first = ""] = receiver.messages;
      if (sink === "syslog") {
        assert.match(
          first,
          /^<30>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d pbkfs\[\d+\]: mounted .*backup=TOTL9U/,
        );
      } else {
        assert.match(first, /^MESSAGE=mounted\nPRIORITY=6\nSYSLOG_IDENTIFIER=pbkfs\n/);
        assert.match(first, /^PBKFS_BACKUP=TOTL9U$/m);
      }
    }
  },
);

testUnless(mountObstacle(), "a mount lives on when nobody takes its log [FR-759]", async () => {
  await using scene = await open();
  const extra = ["--log-sink", `syslog:${scene.dirPath}/nowhere`];
  await using mount = await scene.mount("TOTL9U", { extra });
  Deno.readTextFileSync(`${scene.mountDir}/postgresql.conf`);
  await mount.unmount();
});

testUnless(mountObstacle(), "log options that make no sense are refused [FR-757]", async () => {
  await using scene = await open();
  for (
    const extra of [
      ["--log-sink", "stderr"],
      ["--log-sink", "printer"],
      ["--log-sink", "file:"],
      ["--log-format", "xml"],
      ["--metrics", "localhost"],
      ["--metrics", "99999"],
    ]
  ) {
    const { code, stderr } = await runCli(mountArguments(scene.mountOptions("TOTL9U", { extra })));
    assert.equal(code, CODES.Usage.exitCode, stderr);
    assert.match(stderr, /^pbkfs: .*log|metrics/);
  }
});

/** Cuts all stored files of the oldest backup short. */
function damage({ catalogDir }: Scene): void {
  const path = `${catalogDir}/backups/main/TOTL93/database/global`;
  for (const { name } of Deno.readDirSync(path)) Deno.truncateSync(`${path}/${name}`, 7);
}
