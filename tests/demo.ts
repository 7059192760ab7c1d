/**
 * `./run demo`: a bundled backup is mounted, PostgreSQL starts on it and answers. Nothing that it
 * makes stays.
 *
 * @module
 */

import { toPbkfsError } from "../errors.ts";
import { answerOf, Scene } from "./support/scene.ts";
import { mountObstacle, serverObstacle } from "./support/skip.ts";
import { snapshot } from "./support/snapshot.ts";
import { spaceBytes } from "./support/space.ts";
import { countersOf } from "./support/status.ts";
import { ordinaryUser } from "./support/users.ts";

/** The samples that the demo can show, the best first; which one depends on what is installed. */
const SAMPLES = [
  { fixture: "zlib-chain", backupId: "TOTL9U", majorVersion: 15 },
  { fixture: "pg17-chain", backupId: "TOTLRS", majorVersion: 17 },
] as const;

/** A backup, as `show.json` of a sample lists it. */
interface Listed {
  readonly id: string;
  readonly "parent-backup-id"?: string;
  readonly "backup-mode": string;
  readonly "compress-alg": string;
  readonly "pgdata-bytes": number;
}

function print(line = ""): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

function row(name: string, value: string): void {
  print(`  ${name.padEnd(28)}${value}`);
}

const megabytes = (sizeBytes: number) => `${(sizeBytes / 1e6).toFixed(2)} MB`;

/** Runs `step` and prints what it was and how long it took. */
async function timed<T>(name: string, step: () => Promise<T>): Promise<T> {
  const start = performance.now();
  const result = await step();
  row(name, `${((performance.now() - start) / 1000).toFixed(2)} s`);
  return result;
}

/** The chain of a backup, from the FULL on. */
function chainOf(scene: Scene, backupId: string): Listed[] {
  const [{ backups }] = JSON.parse(Deno.readTextFileSync(`${scene.dirPath}/show.json`)) as [
    { backups: Listed[] },
  ];
  const chain: Listed[] = [];
  for (let id: string | undefined = backupId; id !== undefined;) {
    const found = backups.find((backup) => backup.id === id);
    if (found === undefined) break;
    chain.unshift(found);
    id = found["parent-backup-id"];
  }
  return chain;
}

async function show(scene: Scene, backupId: string): Promise<void> {
  const chain = chainOf(scene, backupId);
  const before = await snapshot(scene.catalogDir);
  print("A chain of backups, which stays as it is:");
  for (const backup of chain) {
    row(`${backup.id} ${backup["backup-mode"]}`, `compressed with ${backup["compress-alg"]}`);
  }
  print(`\nPostgreSQL on ${backupId}, which nobody restored:`);
  const mount = await timed("mount", () => scene.mount(backupId));
  {
    await using _mount = mount;
    await using server = await timed("start, with recovery", () => scene.startServer());
    const answer = await timed("first queries", () => answerOf(server));
    await timed(
      "update of a row",
      () =>
        server.query("update accounts set owner = 'clone' where id = 1").then(() =>
          server.query("checkpoint")
        ),
    );
    const { storeBytesRead = 0, indexBytesRead = 0 } = await countersOf(scene.mountDir);
    print("\nIt answers:");
    for (const [name, value] of Object.entries(answer as Record<string, unknown>)) {
      if (name !== "starts") row(name, `${value}`);
    }
    print("\nSizes:");
    row("data directory, if restored", megabytes(chain.at(-1)?.["pgdata-bytes"] ?? 0));
    row("backups on disk", megabytes(spaceBytes(scene.catalogDir)));
    row("read from the backups", megabytes(storeBytesRead + indexBytesRead));
    const walDir = Deno.realPathSync(`${scene.mountDir}/pg_wal`);
    const dataBytes = spaceBytes(`${scene.diffDir}/data`);
    row("diff, pages and files", megabytes(dataBytes));
    row("diff, pg_wal", megabytes(spaceBytes(walDir)));
    row("diff, names and reserve", megabytes(spaceBytes(scene.diffDir, walDir) - dataBytes));
    print("\nAfterwards:");
    await timed("stop", () => server.stop());
    await timed("unmount", () => mount.unmount());
  }
  const isSame = JSON.stringify(await snapshot(scene.catalogDir)) === JSON.stringify(before);
  row("the backups", isSame ? "byte for byte as before" : "HAVE CHANGED");
  if (!isSame) throw new Error("The catalog has changed");
}

async function main(): Promise<void> {
  const sample = SAMPLES.find(({ majorVersion }) => serverObstacle(majorVersion) === undefined);
  const obstacle = mountObstacle() ?? (sample === undefined ? serverObstacle(15) : undefined);
  if (sample === undefined || obstacle !== undefined) {
    throw new Error(`The demo cannot run here: ${obstacle}`);
  }
  await using scene = await Scene.open({ ...sample, owner: ordinaryUser() });
  await show(scene, sample.backupId);
}

try {
  await main();
} catch (error) {
  const { message, todo, exitCode } = toPbkfsError(error);
  Deno.stderr.writeSync(new TextEncoder().encode(`${message}\n${todo}\n`));
  Deno.exitCode = exitCode;
}
