/** `verify` finds what is wrong with a diff, and only that. */

import assert from "node:assert/strict";
import { CODES } from "../../errors.ts";
import { type CliOutcome, runCli } from "../support/cli.ts";
import { Scene } from "../support/scene.ts";
import { parseDocument } from "../support/schema.ts";
import { mountObstacle, serverObstacle, testUnless } from "../support/skip.ts";
import { snapshot } from "../support/snapshot.ts";
import { ordinaryUser } from "../support/users.ts";

const PAGE = 8192;

const verify = ({ diffDir }: Scene, ...more: string[]) =>
  runCli(["verify", "-d", diffDir, ...more]);

/** @returns What it printed. */
function mustFind({ code, stdout, stderr }: CliOutcome, says: RegExp): void {
  assert.equal(code, CODES.DamageFound.exitCode, stdout + stderr);
  assert.match(stdout, says);
  assert.match(stderr, /^damage was found; checked/);
}

/** Changes a file's bytes while `body` runs. */
async function whileChanged(
  path: string,
  change: (bytes: Uint8Array) => Uint8Array,
  body: () => Promise<void>,
) {
  const before = Deno.readFileSync(path);
  Deno.writeFileSync(path, change(before.slice()));
  await body();
  Deno.writeFileSync(path, before);
}

testUnless(
  mountObstacle() ?? serverObstacle(15),
  "verify finds flipped bits, lost lengths and lost metadata of a diff, and changes nothing [FR-871]",
  async () => {
    await using scene = await Scene.open({ fixture: "zlib-chain", owner: ordinaryUser() });
    let table: string;
    {
      await using _mount = await scene.mount("TOTL9U");
      assert.equal((await verify(scene)).code, CODES.DiffInUse.exitCode);
      await using server = await scene.startServer();
      await server.query(
        "create table made as select g, repeat('x', 500) from generate_series(1, 2000) g",
      );
      await server.query("update accounts set balance = balance + 1");
      table = await server.query("select pg_relation_filepath('made')");
      await server.query("checkpoint");
    }
    const old = Deno.readFileSync(`${scene.diffDir}/metadata.sqlite`);
    {
      await using _mount = await scene.mount("TOTL9U");
    }
    const before = await snapshot(scene.diffDir);
    const sound = await verify(scene, "--json");
    assert.equal(sound.code, 0, sound.stdout + sound.stderr);
    const { isDamaged, pages, findings } = parseDocument("verify", sound.stdout);
    assert.deepEqual([isDamaged, findings], [false, []]);
    assert(pages > 100, `${pages} pages were checked`);
    // Of the new table, which is a file of its own.
    const path = [...Deno.readDirSync(`${scene.diffDir}/data`)]
      .map(({ name }) => `${scene.diffDir}/data/${name}`)
      .find((path) => holds(path, "x".repeat(500)));
    assert(path !== undefined);
    await whileChanged(path, (bytes) => flipped(bytes, 3 * PAGE + 4000), async () => {
      const says = new RegExp(`^damage: page: block 3 of "${table}" has a wrong checksum$`, "m");
      mustFind(await verify(scene), says);
      const { findings } = parseDocument("verify", (await verify(scene, "--json")).stdout);
      assert.deepEqual(
        findings.map(({ path, block }: { path: string; block: number }) => [path, block]),
        [
          [table, 3],
        ],
      );
    });
    await whileChanged(path, (bytes) => bytes.subarray(0, bytes.length - 100), async () => {
      mustFind(
        await verify(scene),
        new RegExp(`data file: .* that of "${table}", [0-9a-f]{16}, has`),
      );
    });
    const store = `${scene.diffDir}/metadata.sqlite`;
    await whileChanged(store, () => new Uint8Array(), async () => {
      mustFind(await verify(scene), /damage: metadata: .* is empty/);
    });
    await whileChanged(store, () => old, async () => {
      mustFind(await verify(scene), /damage: metadata: .* has lost commits: it ends at generation/);
    });
    await whileChanged(store, (bytes) => bytes.fill(0xee, 4096 * 2, 4096 * 3), async () => {
      mustFind(await verify(scene), /damage: metadata: /);
    });
    await whileChanged(
      `${scene.diffDir}/.pbkfs-binding.json`,
      () => new Uint8Array([0x7b]),
      async () => {
        mustFind(await verify(scene), /damage: binding: /);
      },
    );
    Deno.writeTextFileSync(`${scene.diffDir}/data/00000000000fffff`, "a stray");
    const stray = await verify(scene);
    assert.equal(stray.code, 0, stray.stdout + stray.stderr);
    assert.match(stray.stdout, /^note: stray: 1 data files are named by nothing/m);
    Deno.removeSync(`${scene.diffDir}/data/00000000000fffff`);
    const changed = await snapshot(scene.diffDir);
    assert.deepEqual(contents(changed), contents(before));
  },
);

/** Names and bytes: what we change and put back has another time. */
function contents(tree: Record<string, string>): [string, string | undefined][] {
  return Object.entries(tree).map(([path, facts]) => [path, facts.split(" ").at(-1)]);
}

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  bytes[at]! ^= 4;
  return bytes;
}

function holds(path: string, text: string): boolean {
  return new TextDecoder("latin1").decode(Deno.readFileSync(path)).includes(text);
}
