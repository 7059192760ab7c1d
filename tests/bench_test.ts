/** The scenarios of bench/, as small as can be: they must run, not be fast. */

import assert from "node:assert/strict";
import { SCENARIOS } from "../bench/all.ts";
import { scenario as bulkWrites } from "../bench/bulk_writes.ts";
import { DEFAULTS, parseOptions } from "../bench/support/options.ts";
import { allInPairs, inPairs, spread } from "../bench/support/pairs.ts";
import type { Row } from "../bench/support/report.ts";
import { runPgbench } from "../bench/support/run_pgbench.ts";
import { runScenarios } from "../bench/support/scenario.ts";
import { countLines } from "../bench/file_list.ts";
import { changedBytes } from "../bench/support/changed_pages.ts";
import { BusyThreads } from "../bench/support/busy_threads.ts";
import { readTimes, startDirectReads } from "../bench/support/direct_reads.ts";
import { mountInForeground } from "../bench/support/foreground_mount.ts";
import { ofBusiest, parseCollections, pausesMs } from "../bench/support/gc_trace.ts";
import { percentile } from "../bench/support/percentile.ts";
import { countRequests, countsSince, sumOf } from "../bench/support/request_counts.ts";
import { pageAt } from "../bench/support/random_reads.ts";
import { World } from "../bench/support/world.ts";
import { loadCodecs, openChain, readFile, readFileLists, resolveChain } from "../backup/mod.ts";
import { isAlive } from "../binding/mod.ts";
import { type ByteString, byteStringOf } from "../ffi/bytes.ts";
import { writeSynthetic } from "./support/catalog_writer/synthetic.ts";
import {
  newestOf,
  pageOf,
  RELATION,
  writeRelation,
} from "./support/catalog_writer/synthetic_relation.ts";
import { unpackFixture } from "./support/fixtures.ts";
import { fuseMounts } from "./support/mounts.ts";
import { sampleObstacle } from "./support/samples.ts";
import { mountObstacle, testUnless } from "./support/skip.ts";
import { TempDir } from "./support/temp_dir.ts";

const TINY = {
  ...DEFAULTS,
  sizeMb: 10,
  codecs: ["zlib"] as const,
  pairs: 1,
  warmUp: false,
  seconds: 1,
  clients: 2,
  initScale: 1,
  dirtyPages: 500,
  randomPages: 500,
  threads: [2],
  files: 300,
  backups: 3,
  manyFiles: 600,
  mounts: 2,
  newFiles: 150,
  manyNewFiles: 150,
  writers: 2,
  segmentBlocks: 700,
};

/** What a run may leave: mounts, files, and processes that work there. */
function leftIn(dirPath: string): string[] {
  const inside = (path: string) => `${path}/`.startsWith(`${dirPath}/`);
  const mounts = fuseMounts(dirPath).map(({ mountDir }) => `mount ${mountDir}`);
  const processes = [...Deno.readDirSync("/proc")].flatMap(({ name }) => {
    try {
      return /^\d+$/.test(name) && inside(Deno.readLinkSync(`/proc/${name}/cwd`)) ? [name] : [];
    } catch {
      return []; // Ended meanwhile.
    }
  });
  const files = [...Deno.readDirSync(dirPath.slice(0, dirPath.lastIndexOf("/")))]
    .map(({ name }) => name).filter((name) => dirPath.endsWith(`/${name}`));
  return [...mounts, ...processes, ...files];
}

/** A test has only so much time, and scenarios take a while on a busy machine. */
const PARTS = 3;

for (let part = 1; part <= PARTS; part++) {
  testUnless(
    sampleObstacle(),
    `scenarios of bench/ give rows, and leave nothing behind: ${part} of ${PARTS} [FR-810]`,
    async () => {
      const scenarios = SCENARIOS.filter((_, index) => index % PARTS === part - 1);
      const tables = new Map<string, readonly Row[]>();
      let place = "";
      const failed = await runScenarios(scenarios, TINY, (name, rows, dirPath) => {
        tables.set(name, rows);
        place = dirPath;
      });
      assert.deepEqual(failed.map((error) => `${error.message}: ${error.cause}`), []);
      for (const { name } of scenarios) {
        const rows = tables.get(name) ?? [];
        assert(rows.length > 0, `${name} gives rows`);
        for (const row of rows) {
          const figure = "missing" in row ? 1 : "alone" in row ? row.alone.median : undefined;
          const ratio = "figures" in row ? row.figures.ratio.median : undefined;
          assert((ratio ?? figure ?? NaN) >= 0, `${name}: ${JSON.stringify(row)}`);
        }
      }
      assert.deepEqual(leftIn(place), []);
    },
  );
}

/** How often this process has a file open. */
function opened(path: string): number {
  return [...Deno.readDirSync("/proc/self/fd")].filter(({ name }) => {
    try {
      return Deno.readLinkSync(`/proc/self/fd/${name}`) === path;
    } catch {
      return false; // Closed meanwhile.
    }
  }).length;
}

Deno.test("threads end with their scope, also where nobody came to stop them [FR-810]", async () => {
  await using dir = TempDir.make();
  const path = `${dir.path}/file`;
  Deno.writeFileSync(path, new Uint8Array(64 * 8192));
  const measure = async () => {
    await using _reading = await startDirectReads(path, { threads: 2 });
    assert.equal(opened(path), 2);
    throw new Error("no figures");
  };
  await assert.rejects(measure, /no figures/);
  assert.equal(opened(path), 0);
  // One that cannot begin does not leave the others behind.
  const jobs = [path, `${dir.path}/missing`].map((path) => ({ path, sizeBytes: 8192, first: 0 }));
  const url = new URL("../bench/support/direct_reads_worker.ts", import.meta.url);
  await assert.rejects(() => BusyThreads.start(url, jobs), /missing/);
  assert.equal(opened(path), 0);
});

testUnless(
  mountObstacle(),
  "a mount in the foreground ends with its scope, also if it is in use [FR-810]",
  async () => {
    await using fixture = await unpackFixture("zlib-chain");
    let pid = 0;
    let place = "";
    {
      await using world = World.make(TINY);
      place = world.dirPath;
      await using mount = await mountInForeground(world, fixture.catalogPath, {});
      pid = mount.pid;
      using _file = Deno.openSync(`${mount.mountDir}/PG_VERSION`);
      await assert.rejects(() => mount.unmount(), /in use/);
      // As threads are that do not end: the file stays open until the mount is gone.
      await mount[Symbol.asyncDispose]();
    }
    assert(!isAlive(pid));
    assert.deepEqual(leftIn(place), []);
  },
);

Deno.test("a run of pgbench in which no transaction ends is made again, twice as long [FR-810]", async () => {
  const printed = (transactions: number) =>
    `duration: 1 s
number of transactions actually processed: ${transactions}
number of failed transactions: 0 (${transactions === 0 ? "NaN" : "0.000"}%)
${transactions === 0 ? "" : "latency average = 74.383 ms\ntps = 26.887967 (without initial …)\n"}`;
  const ranFor: string[] = [];
  const serverOf = (ends: (run: number) => number) => ({
    run(_program: string, args: readonly string[]) {
      ranFor.push(args[args.indexOf("-T") + 1]!);
      return Promise.resolve({ code: 0, stdout: printed(ends(ranFor.length)), stderr: "" });
    },
  });
  const options = { clients: 2, seconds: 1 };
  const third = await runPgbench(serverOf((run) => run < 3 ? 0 : 26), options);
  assert.deepEqual(third, { transactions: 26, perSecond: 26.887967 });
  assert.deepEqual(ranFor.splice(0), ["1", "2", "4"]);
  await assert.rejects(() => runPgbench(serverOf(() => 0), options), /no transaction/);
});

Deno.test("what is compared is measured in turn, and the ratio is that of each pair [FR-811]", async () => {
  const order: string[] = [];
  const next = (side: string, figures: number[]) => () => {
    order.push(side);
    return figures.shift()!;
  };
  const measures = () => ({
    ours: next("ours", [99, 10, 20, 30]),
    other: next("other", [99, 5, 40, 10]),
  });
  const figures = await inPairs(measures(), 3);
  assert.deepEqual(order.join(" "), "other ours ours other other ours ours other");
  assert.deepEqual(figures.ratio, { min: 0.5, median: 2, max: 3 });
  const times = await inPairs(measures(), { pairs: 3, areTimes: true });
  assert.deepEqual(times.ratio, { min: 1 / 3, median: 0.5, max: 2 });
  assert.deepEqual(spread([4, 1, 2, 3]), { min: 1, median: 2.5, max: 4 });
  const turn = (a: number) => () => Promise.resolve({ a, b: 2 * a });
  const all = await allInPairs({ ours: turn(3), other: turn(1) }, { pairs: 2, warmUp: false });
  assert.deepEqual([all["a"]!.ratio.median, all["b"]!.ours.median], [3, 6]);
});

testUnless(
  sampleObstacle(),
  "servers can be compared with one on a pass-through [FR-817]",
  async () => {
    assert.equal(parseOptions([])?.against, "tree");
    assert.equal(parseOptions(["--against", "passthrough"])?.against, "passthrough");
    assert.throws(() => parseOptions(["--against", "nothing"]), /"nothing" is none of tree/);
    const rivals = new Set<string>();
    let place = "";
    const options = { ...TINY, against: "passthrough" } as const;
    const failed = await runScenarios([bulkWrites], options, (_, rows, dirPath) => {
      for (const row of rows) if ("against" in row) rivals.add(row.against);
      place = dirPath;
    });
    assert.deepEqual(failed.map((error) => `${error.message}: ${error.cause}`), []);
    // Where it cannot be compiled, the table has to say so.
    assert.match([...rivals].join(), /^(pass-through in C|PLAIN DIRECTORY.*)$/);
    assert.deepEqual(leftIn(place), []);
  },
);

Deno.test("reads past the page cache are timed one by one, and told by percentiles [FR-814]", async () => {
  assert.equal(percentile([7], 0.5), 7);
  const hundred = Array.from({ length: 100 }, (_, index) => index + 1);
  assert.deepEqual([0, 0.5, 0.99, 0.999, 1].map((share) => percentile(hundred, share)), [
    ...[1, 50, 99, 100, 100],
  ]);
  assert.throws(() => percentile([], 0.5), RangeError);
  assert.deepEqual(readTimes(Float64Array.of(3, 1, 2)), { p50: 2, p99: 3, p999: 3, max: 3 });
  await using dir = TempDir.make();
  Deno.writeFileSync(`${dir.path}/file`, new Uint8Array(64 * 8192));
  await using reading = await startDirectReads(`${dir.path}/file`, { threads: 2 });
  const times = await reading.stop();
  assert.equal(times.length, 2);
  assert(times.every((micros) => micros.length > 0 && micros.every((one) => one > 0)));
});

Deno.test("requests are counted by operation, as a traced log has them [FR-815]", () => {
  const log = `2026-11-21T01:50:25.465Z trace 53046 getattr inode=1010
2026-11-21T01:50:25.465Z trace 53046 ok
2026-11-21T01:50:25.193Z trace 60 rename inode=982 parent=982 name="a inode=1" to="b"
2026-11-21T01:50:25.477Z trace 53076 read inode=640 at=83697664 size=8192
2026-11-21T01:50:25.477Z trace 53076 ok 8192
2026-11-21T01:50:25.480Z info mounted mount="/m" process=12
2026-11-21T01:50:25.491Z trace 53078 read inode=640 at=45187072 size=8192
2026-11-21T01:50:25.499Z trace 53080 operation 51 inode=640
`;
  const counts = countRequests(log);
  assert.deepEqual(Object.fromEntries(counts), {
    getattr: 1,
    rename: 1,
    read: 2,
    "operation 51": 1,
  });
  const since = countsSince(new Map([["getattr", 1], ["read", 1]]), counts);
  assert.deepEqual(Object.fromEntries(since), { rename: 1, read: 1, "operation 51": 1 });
  assert.equal(sumOf(counts), 5);
});

Deno.test("what V8 prints of a collection is understood, and each pause is found [FR-816]", () => {
  const printed = `mounted on /m; interrupt to unmount
[1292:0x7fdbb4060000]       15 ms: Scavenge 4.0 (4.8) -> 3.4 (5.2) MB, pooled: 0.0 MB, \
0.66 / 0.00 ms (average mu = 1.000, current mu = 1.000) allocation failure; 
[1292:0x7fdbb4060000]       92 ms: Scavenge (during sweeping) 33.1 (45.2) -> 23.0 (41.9) MB, \
pooled: 8.2 MB, 18.58 / 0.00 ms (average mu = 0.978, current mu = 0.978) allocation failure; 
[1292:0x557749664000]      263 ms: Incremental Mark-Compact 53.5 (109.0) -> 3.2 (69.5) MB, \
pooled: 22.0 MB, 2.20 / 0.00 ms (+ 3.5 ms in 4 steps since start of marking, biggest step \
1.5 ms, walltime since start of marking 6 ms) (average mu = 0.992, current mu = 0.992) \
finalize incremental marking via task; GC in old space requested
`.replaceAll("\\\n", "");
  const found = parseCollections(printed);
  assert.deepEqual(found, [
    { isolate: "0x7fdbb4060000", endMs: 15, kind: "Scavenge", pauseMs: 0.66, stepMs: 0 },
    {
      isolate: "0x7fdbb4060000",
      endMs: 92,
      kind: "Scavenge (during sweeping)",
      pauseMs: 18.58,
      stepMs: 0,
    },
    {
      isolate: "0x557749664000",
      endMs: 263,
      kind: "Incremental Mark-Compact",
      pauseMs: 2.2,
      stepMs: 1.5,
    },
  ]);
  assert.deepEqual(ofBusiest(found), found.slice(0, 2));
  assert.deepEqual(pausesMs(found), [0.66, 18.58, 2.2, 1.5]);
});

Deno.test("random reads touch each page once [FR-811]", () => {
  for (const pages of [1, 7, 1000, 1_000_003]) {
    const seen = new Uint8Array(pages);
    for (let place = 0; place < pages; place++) seen[pageAt(place, pages)]!++;
    assert(seen.every((times) => times === 1), `${pages}`);
  }
});

Deno.test("changed pages are counted by their bytes [FR-811]", async () => {
  await using dir = TempDir.make();
  const [tree, base] = [`${dir.path}/tree`, `${dir.path}/base`];
  for (const path of [tree, base, `${tree}/pg_wal`, `${tree}/sub`, `${base}/sub`]) {
    Deno.mkdirSync(path);
  }
  const page = 8192;
  const bytes = new Uint8Array(300 * page + 100);
  Deno.writeFileSync(`${base}/sub/1`, bytes);
  bytes[0] = 1;
  bytes[200 * page + 5] = bytes[200 * page + 7] = 1;
  bytes[300 * page] = 1;
  Deno.writeFileSync(`${tree}/sub/1`, bytes);
  Deno.writeFileSync(`${tree}/new`, new Uint8Array(5));
  Deno.writeFileSync(`${tree}/pg_wal/1`, new Uint8Array(5));
  assert.equal(changedBytes(tree, base, "pg_wal"), 2 * page + 100 + 5);
});

Deno.test("both ways to read file lists see every entry [FR-812]", async () => {
  await using dir = TempDir.make();
  const catalogPath = `${dir.path}/catalog`;
  writeSynthetic({ catalogPath, files: 500, backups: 3, stored: 1 });
  const spec = await resolveChain({ catalogPath, useProbackup: false });
  const { paths, members } = readFileLists(spec);
  assert.equal(paths.count, 500 + 9, "files, and what each backup has besides");
  // Each backup has a WAL segment of its own, which only the last one's list shares with nobody.
  assert.equal(countLines(spec), members.length * paths.count);
});

Deno.test("the made-up relation has in each block the newest page that is stored [FR-813]", async () => {
  await using dir = TempDir.make();
  for (const hasHeaderMap of [true, false]) {
    const catalogPath = `${dir.path}/${hasHeaderMap}`;
    const plan = { catalogPath, blocks: 300, increments: 9, changedBlocks: 30, hasHeaderMap };
    writeRelation(plan);
    const spec = await resolveChain({ catalogPath, useProbackup: false });
    const layout = { mountPath: byteStringOf("."), restoredAt: Date.now(), settings: [] };
    const base = await openChain(spec, { layout, codecs: await loadCodecs() });
    const bytes = readFile(base, RELATION as ByteString);
    assert.equal(bytes.length, plan.blocks * 8192);
    for (let block = 0; block < plan.blocks; block++) {
      const page = bytes.subarray(block * 8192, (block + 1) * 8192);
      assert.deepEqual(page, pageOf(newestOf(plan, block), block), `block ${block}`);
    }
    base.close();
  }
});
