/**
 * One life of a mount: it is mounted, much read and written, unmounted, mounted again, and compared.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { isAlive, readOwner } from "../../binding/mod.ts";
import { type Fixture, unpackFixture } from "../support/fixtures.ts";
import { mountBackup } from "../support/mount_backup.ts";
import { Random } from "../support/random.ts";
import { TempDir } from "../support/temp_dir.ts";
import type { ClientReport, ClientTask } from "./client.ts";
import { type TrueFile, writeTruth } from "./truth.ts";

/** One of many. */
export interface Life {
  /** All choices follow from it. */
  readonly seed: number;
  /** No mount is begun after this time, but the first. */
  readonly endsAt: number;
  readonly say: (line: string) => void;
}

const FIXTURES = ["zlib-chain", "mixed-compression", "archive-wal", "pg17-chain"] as const;
/** Fresh mounts of a backup. Faults show in code that has just started, so they are short. */
const MOUNTS = 4;
const WORK_MS = [1_500, 1_500, 3_000, 8_000] as const;
const READERS = 8;
const WRITERS = 2;
/** No operation takes as long, however busy the machine is. */
const LIMIT_SECONDS = 60;
/**
 * The daemon collects garbage every so many allocations, and in some mounts its code is never
 * compiled, so that it is slow between two steps.
 */
const COLLECTING = "--gc-interval=500";
const V8_FLAGS = [COLLECTING, `${COLLECTING},--no-opt,--no-sparkplug,--no-maglev`] as const;

/** A backup, and what its files hold. */
interface Truth {
  readonly fixture: Fixture;
  readonly backupId: string;
  readonly files: readonly TrueFile[];
  readonly truthDir: string;
}

/** Plays one. @throws all that was wrong. */
export async function playLife({ seed, endsAt, say }: Life): Promise<void> {
  const random = new Random(seed);
  await using dir = TempDir.make();
  await using fixture = await unpackFixture(random.pick(FIXTURES));
  const backupId = random.pick(fixture.restoredIds);
  const truthDir = `${dir.path}/truth`;
  const files = await writeTruth(fixture, backupId, truthDir);
  for (let mount = 0; mount === 0 || (mount < MOUNTS && Date.now() < endsAt); mount++) {
    const place = `${dir.path}/${mount}`;
    Deno.mkdirSync(place);
    const operations = await useMount({ fixture, backupId, files, truthDir }, place, random);
    say(`${fixture.name} ${backupId}: ${operations} operations`);
  }
}

/** @returns How many operations there were. */
async function useMount(truth: Truth, place: string, random: Random): Promise<number> {
  const { fixture, backupId, files, truthDir } = truth;
  const [ownDir, mountDir, diffDir] = ["own", "mount", "diff"].map((name) =>
    `${place}/${name}`
  ) as [
    ...[string, string, string],
  ];
  Deno.mkdirSync(mountDir);
  const { readers, writers } = divide(files, random);
  for (const path of writers.flat()) copy(path, truthDir, ownDir);
  const options = {
    ...{ catalogDir: fixture.catalogPath, instance: "main", backupId, diffDir, mountDir },
    env: { DENO_V8_FLAGS: random.pick(V8_FLAGS) },
  };
  await using _daemon = endsWithScope(diffDir);
  let operations = 0;
  {
    await using _mount = await mountBackup(options);
    const workMs = random.pick(WORK_MS);
    const threads = (plainDir: string, lists: readonly (readonly string[])[], writes: boolean) =>
      lists.map((paths) => {
        const task = { paths, writes, seed: random.between(0, 2 ** 30), workMs };
        return { mountDir, plainDir, ...task };
      });
    const coldPaths = filesBelow(fixture.instancePath);
    const limitSeconds = LIMIT_SECONDS;
    const reports = await Promise.all([
      runClient({ threads: threads(truthDir, readers, false), limitSeconds, coldPaths }, workMs),
      runClient({ threads: threads(ownDir, writers, true), limitSeconds, coldPaths: [] }, workMs),
    ]);
    assert.deepEqual(reports.flatMap(({ failures }) => failures), []);
    for (const report of reports) operations += report.operations;
    assert(operations > 0);
  }
  if (random.chance(0.5)) {
    await using _mount = await mountBackup(options);
    compare(mountDir, files, { truthDir, ownDir });
  }
  const problems = Deno.readTextFileSync(`${diffDir}/pbkfs.log`).split("\n")
    .filter((line) => / (error|warning) (?!the backups)/i.test(line));
  assert.deepEqual(problems, [], "the log tells of nothing");
  return operations;
}

/** Large files are read by all; of some files, each belongs to one writer. */
function divide(files: readonly TrueFile[], random: Random): {
  readonly readers: string[][];
  readonly writers: string[][];
} {
  const writers: string[][] = Array.from({ length: WRITERS }, () => []);
  const toRead: string[] = [];
  for (const { path, sizeBytes } of files) {
    if (random.chance(0.2)) random.pick(writers).push(path);
    else {for (let copies = 1 + Math.min(20, sizeBytes >> 16); copies > 0; copies--) {
        toRead.push(path);
      }}
  }
  return { readers: Array.from({ length: READERS }, () => toRead), writers };
}

function copy(path: string, fromDir: string, toDir: string): void {
  Deno.mkdirSync(`${toDir}/${path}`.replace(/\/[^/]*$/, ""), { recursive: true });
  Deno.copyFileSync(`${fromDir}/${path}`, `${toDir}/${path}`);
}

/** Every file of the mount, whole. */
function compare(
  mountDir: string,
  files: readonly TrueFile[],
  { truthDir, ownDir }: { readonly truthDir: string; readonly ownDir: string },
): void {
  for (const { path } of files) {
    const own = tryRead(`${ownDir}/${path}`);
    const expected = own ?? Deno.readFileSync(`${truthDir}/${path}`);
    const got = Deno.readFileSync(`${mountDir}/${path}`);
    assert(Buffer.compare(got, expected) === 0, `${path} is another file at the end`);
  }
}

function tryRead(path: string): Uint8Array | undefined {
  try {
    return Deno.readFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function filesBelow(dirPath: string): string[] {
  return [...Deno.readDirSync(dirPath)].flatMap(({ name, isDirectory }) => {
    const path = `${dirPath}/${name}`;
    return isDirectory ? filesBelow(path) : [path];
  });
}

/** A client that does not come back is killed, and is a failure. */
async function runClient(task: ClientTask, workMs: number): Promise<ClientReport> {
  await using dir = TempDir.make();
  const taskPath = `${dir.path}/task.json`;
  Deno.writeTextFileSync(taskPath, JSON.stringify(task));
  const program = new URL("./client.ts", import.meta.url).pathname;
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", program, taskPath],
    stdout: "piped",
    stderr: "piped",
    signal: AbortSignal.timeout(workMs + 2 * LIMIT_SECONDS * 1000),
  });
  const { code, stdout, stderr } = await command.output();
  const text = new TextDecoder();
  if (code === 0) return JSON.parse(text.decode(stdout));
  return { operations: 0, failures: [`a client ended with ${code}: ${text.decode(stderr)}`] };
}

/** After a failure, a daemon may not end by itself. */
function endsWithScope(diffDir: string): AsyncDisposable {
  return {
    async [Symbol.asyncDispose]() {
      const owner = readOwner(diffDir);
      if (owner === undefined || owner.releasedAt !== undefined || !isAlive(owner.pid)) return;
      Deno.kill(owner.pid, "SIGKILL");
      while (isAlive(owner.pid)) await new Promise((resolve) => setTimeout(resolve, 50));
    },
  };
}
