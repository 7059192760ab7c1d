/**
 * What it takes to make a file: create, write a page, close; in one directory and in many, against
 * the file system that the diff is on. And which requests that is, and what memory.
 *
 * Nothing is deleted between the turns: ext4 does not give away an inode that was deleted a moment
 * ago, and looks at each of them to know.
 *
 * @module
 */

import { byteStringOf } from "../ffi/bytes.ts";
import { writeSynthetic } from "../tests/support/catalog_writer/synthetic.ts";
import { close, mkdir, open, pwrite } from "../tests/support/posix.ts";
import { DaemonMeter, memoryMb } from "./support/daemon_meter.ts";
import { allInPairs, type MeasureAll, spread } from "./support/pairs.ts";
import type { Row } from "./support/report.ts";
import { countsSince, RequestLog, sumOf } from "./support/request_counts.ts";
import { main, type Scenario } from "./support/scenario.ts";
import { giveToUser, type World } from "./support/world.ts";

const CREATE = 0o302; // O_RDWR | O_CREAT | O_EXCL
const PAGE = new Uint8Array(8192).fill(7);
const MANY_DIRECTORIES = 100;

/** How files are made. */
interface Way {
  readonly name: string;
  readonly directories: number;
  readonly page: boolean;
}

const WAYS: readonly Way[] = [
  { name: "create, write 8 KiB, close; one directory", directories: 1, page: true },
  { name: "the same in 100 directories", directories: MANY_DIRECTORIES, page: true },
  { name: "create, close; one directory", directories: 1, page: false },
];

/** Makes files in new directories below `dirPath`. @returns Microseconds that one took. */
function makeFiles(dirPath: string, files: number, { directories, page }: Way): number {
  mkdir(byteStringOf(dirPath));
  for (let n = 0; n < directories; n++) mkdir(byteStringOf(`${dirPath}/${n}`));
  const paths = Array.from(
    { length: files },
    (_, n) => byteStringOf(`${dirPath}/${n % directories}/${n}`),
  );
  const start = performance.now();
  for (const path of paths) {
    const fd = open(path, CREATE, 0o600);
    if (page) pwrite(fd, PAGE, 0);
    close(fd);
  }
  return (performance.now() - start) * 1000 / files;
}

/** Turns in one place, each in directories of its own. */
function turnsIn(dirPath: string, files: number): MeasureAll {
  let count = 0;
  const turn = (way: Way) => [way.name, makeFiles(`${dirPath}/new ${count++}`, files, way)];
  return () => Promise.resolve(Object.fromEntries(WAYS.map(turn)));
}

/** The requests that a file takes, by operation. */
async function requestRows(world: World, catalogPath: string): Promise<Row[]> {
  const files = Math.min(world.options.newFiles, 1000);
  await using mount = await world.mount(catalogPath, { extra: ["--trace"] });
  const log = new RequestLog(mount);
  // The first file that is opened tells the kernel that it need not ask.
  Deno.readTextFileSync(`${mount.mountDir}/PG_VERSION`);
  const before = await log.count();
  makeFiles(`${mount.mountDir}/traced`, files, WAYS[0]!);
  const counts = countsSince(before, await log.count());
  const row = (what: string, count: number): Row => ({
    what: `a file with 8 KiB: ${what}`,
    unit: "requests",
    alone: spread([count / files]),
    runs: 1,
  });
  return [
    row("all requests", sumOf(counts)),
    ...[...counts].sort().map(([name, count]) => row(name, count)),
  ];
}

export const scenario: Scenario = {
  name: "create_files",
  async measure(world): Promise<Row[]> {
    const { newFiles, pairs, warmUp } = world.options;
    const catalogPath = world.newPath("few");
    writeSynthetic({ catalogPath, files: 300, backups: 1 });
    await giveToUser(world, catalogPath);
    const plainDir = world.newPath("plain");
    Deno.mkdirSync(plainDir);
    const rows: Row[] = [];
    const meter = new DaemonMeter();
    {
      await using mount = await world.mount(catalogPath);
      const pid = await mount.pid();
      const memoryBefore = memoryMb(pid);
      const figures = await allInPairs({
        ours: turnsIn(mount.mountDir, newFiles),
        other: turnsIn(plainDir, newFiles),
      }, { pairs, warmUp, areTimes: true });
      for (const { name } of WAYS) {
        rows.push({ what: name, against: "plain directory", unit: "µs", figures: figures[name]! });
      }
      const made = WAYS.length * newFiles * (pairs + (warmUp ? 1 : 0));
      const bytes = Math.max(0, memoryMb(pid) - memoryBefore) * 2 ** 20 / made;
      const alone = spread([bytes]);
      rows.push({ what: "memory for a file made", unit: "bytes", alone, runs: 1 });
      meter.note(pid);
    }
    return [...rows, ...meter.rows("all files"), ...await requestRows(world, catalogPath)];
  },
};

if (import.meta.main) await main([scenario]);
