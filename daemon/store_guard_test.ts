import assert from "node:assert/strict";
import { PG_PROBACKUP, StoreAlarm } from "../backup/mod.ts";
import { systemLibc } from "../ffi/libc.ts";
import { type Fixture, unpackFixture } from "../tests/support/fixtures.ts";
import { waitUntil } from "../tests/support/daemon_process.ts";
import { giveTo } from "../tests/support/temp_dir.ts";
import { type GuardOptions, guardStore } from "./store_guard.ts";

const OWNER = { uid: 65534, gid: 65534 };

function optionsFor(change: Partial<GuardOptions> = {}): GuardOptions & { said: string[] } {
  const said: string[] = [];
  return {
    libc: systemLibc(),
    alarm: new StoreAlarm(),
    lock: true,
    waitMs: 0,
    watchMs: 20,
    onWait: (text) => said.push(text),
    log: (text) => said.push(text),
    said,
    ...change,
  };
}

function setStatus({ instancePath }: Fixture, status: string): void {
  const path = `${instancePath}/TOTL93/backup.control`;
  const text = Deno.readTextFileSync(path);
  Deno.writeTextFileSync(path, text.replace(/^status = .*/m, `status = ${status}`));
}

function locksOf({ instancePath }: Fixture): string[] {
  return ["TOTL93", "TOTL9E"].flatMap((id) =>
    [...Deno.readDirSync(`${instancePath}/${id}`)].map(({ name }) => name)
  ).filter((name) => name.includes(".pid"));
}

function specOf({ catalogPath }: Fixture) {
  return PG_PROBACKUP.resolve({ catalogPath, backupId: "TOTL9E", useProbackup: false });
}

for (const lock of [true, false]) {
  Deno.test(`a chain that changed before it was ${lock ? "locked" : "watched"} is refused [FR-719]`, async () => {
    await using fixture = await unpackFixture("zlib-chain");
    const spec = await specOf(fixture);
    setStatus(fixture, "MERGING");
    const options = optionsFor({ lock });
    await assert.rejects(guardStore(spec, options), {
      code: "BackupNotRestorable",
      message: /TOTL93 is MERGING now/,
    });
    assert.deepEqual(locksOf(fixture), []);
  });
}

Deno.test("an alarm is on for as long as the chain is another, and each change is told once [FR-719]", async () => {
  await using fixture = await unpackFixture("zlib-chain");
  const options = optionsFor({ lock: false });
  const guard = await guardStore(await specOf(fixture), options);
  const isOn = () => {
    try {
      options.alarm.check();
      return false;
    } catch (error) {
      assert.match((error as Error).message, /changed under the mount: Backup TOTL93 is CORRUPT/);
      return true;
    }
  };
  assert(!isOn());
  setStatus(fixture, "CORRUPT");
  assert(await waitUntil(isOn));
  await new Promise((resolve) => setTimeout(resolve, 200));
  setStatus(fixture, "OK");
  assert(await waitUntil(() => !isOn()));
  await guard.release();
  assert.equal(options.said.length, 2, options.said.join("\n"));
});

Deno.test({
  name: "root's own process is never in the lists of another owner's catalog: it watches [FR-719]",
  ignore: Deno.uid() !== 0,
  async fn() {
    await using fixture = await unpackFixture("zlib-chain");
    await giveTo(OWNER, fixture.dirPath);
    const guard = await guardStore(await specOf(fixture), optionsFor());
    assert.match(guard.notes.join(), /only watched .*belong to user 65534/);
    assert.deepEqual(locksOf(fixture), []);
    await guard.release();
  },
});
