import assert from "node:assert/strict";
import { KIND_OF_OPCODE, Latencies, REQUEST_KINDS } from "./latencies.ts";

const READ = REQUEST_KINDS.indexOf("read");

Deno.test("percentiles of latencies are exact to a quarter, and never beyond the longest [FR-756]", () => {
  const latencies = new Latencies();
  for (let micros = 1; micros <= 1000; micros++) latencies.add(READ, micros / 1000);
  const { count, sumMicros, maxMicros, p50Micros, p95Micros, p99Micros } = latencies.summary(
    "read",
  );
  assert.deepEqual([count, sumMicros, maxMicros], [1000, 500_500, 1000]);
  for (const [found, exact] of [[p50Micros, 500], [p95Micros, 950], [p99Micros, 990]] as const) {
    assert(found >= exact && found <= Math.min(maxMicros, exact * 1.25), `${found} for ${exact}`);
  }
});

Deno.test("latencies of nothing are zeros, and of one request are that request's [FR-756]", () => {
  const latencies = new Latencies();
  assert.equal(latencies.summary("sync").p99Micros, 0);
  latencies.add(REQUEST_KINDS.indexOf("sync"), 4.2);
  const { p50Micros, p99Micros, maxMicros, count } = latencies.summary("sync");
  assert.deepEqual([p50Micros, p99Micros, maxMicros, count], [4200, 4200, 4200, 1]);
  assert.equal(latencies.summary("read").count, 0);
});

Deno.test("any time has a bucket: none, negative ones after a change of clock, hours [FR-756]", () => {
  const latencies = new Latencies();
  for (const milliseconds of [0, -5, 1e-9, 1e12]) latencies.add(READ, milliseconds);
  assert.equal(latencies.summary("read").count, 4);
});

Deno.test("threads add to one histogram through shared memory [FR-756]", () => {
  const here = new Latencies();
  const there = new Latencies(here.shared);
  there.add(READ, 1);
  here.add(READ, 2);
  assert.equal(here.summary("read").count, 2);
});

Deno.test("a thread for which there is no room learns of it before it counts [FR-756]", () => {
  const { shared } = new Latencies();
  for (let thread = 0; thread < 16; thread++) new Latencies(shared).begin();
  const known = new Latencies(shared);
  assert.throws(() => known.begin(), { code: "Bug" });
  assert.equal(known.summary("read").count, 0, "it may look");
});

Deno.test("cumulative counts grow with their limits up to all [FR-756]", () => {
  const latencies = new Latencies();
  for (const micros of [3, 5, 100, 5000]) latencies.add(READ, micros / 1000);
  assert.deepEqual(latencies.cumulative("read", [1, 4, 64, 1024, 8192]), [0, 1, 2, 3, 4]);
});

Deno.test("each operation of the kernel is of a kind [FR-756]", () => {
  const kindOf = (opcode: number) => REQUEST_KINDS[KIND_OF_OPCODE[opcode] ?? -1];
  assert.deepEqual([15, 16, 20, 1, 44, 35].map(kindOf), [
    ...["read", "write", "sync", "lookup", "list", "change"],
  ]);
});
