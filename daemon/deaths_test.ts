import assert from "node:assert/strict";
import { areTooMany, type Death, describeDeath, parseWatch } from "./deaths.ts";
import { judge } from "./revive.ts";

const dead = (...seconds: number[]): Death[] =>
  seconds.map((at) => ({ pid: 100 + at, status: 137, atMs: at * 1000 }));

Deno.test("a daemon learns who watches it and who died before it [FR-771]", () => {
  assert.equal(parseWatch([]), undefined);
  assert.deepEqual(parseWatch(["77", "0"]), {
    ...{ guardian: 77, count: 0, isEnding: false, deaths: [] },
  });
  assert.deepEqual(parseWatch(["77", "5", "ending", "101:137:1", "102:1:2"]), {
    ...{ guardian: 77, count: 5, isEnding: true },
    deaths: [{ pid: 101, status: 137, atMs: 1000 }, { pid: 102, status: 1, atMs: 2000 }],
  });
  for (const args of [["77"], ["x", "0"], ["77", "1", "101:137"], ["77", "1", "what"]]) {
    assert.throws(() => parseWatch(args), { code: "Usage" }, args.join(" "));
  }
});

Deno.test("a death is described by its signal, or by its status [FR-771]", () => {
  const described = (status: number) => describeDeath({ pid: 7, status, atMs: 0 });
  assert.equal(described(139), "process 7 was killed by SIGSEGV");
  assert.match(described(137), /^process 7 was killed by SIGKILL, perhaps because memory ran out$/);
  assert.match(described(128 + 40), /signal 40/);
  assert.match(described(255), /nobody saw how$/);
  assert.match(described(1), /an error of its own, with status 1$/);
});

Deno.test("three deaths within a minute are too many, in more time they are not [FR-772]", () => {
  assert(!areTooMany(dead(0, 1)));
  assert(areTooMany(dead(0, 1, 59)));
  assert(!areTooMany(dead(0, 1, 60)));
  assert(areTooMany(dead(0, 50, 60, 70)));
});

Deno.test("what is to be done after a death [FR-772]", () => {
  const watch = { guardian: 1, count: 1, isEnding: false, deaths: dead(0) };
  const facts = { isListed: true, hadMounted: true };
  assert.deepEqual(judge(watch, facts), { do: "mount again" });
  assert.deepEqual(judge(watch, { ...facts, isListed: false }), { do: "nothing" });
  assert.deepEqual(judge({ ...watch, isEnding: true }, facts), { do: "end" });
  assert.deepEqual(judge(watch, { ...facts, hadMounted: false }), { do: "end" });
  const second = { ...watch, count: 2, deaths: dead(0, 1) };
  assert.equal(judge(second, { ...facts, hadMounted: false }).do, "give up");
  assert.equal(judge({ ...second, count: 9, deaths: dead(0, 1, 2) }, facts).do, "give up");
});
