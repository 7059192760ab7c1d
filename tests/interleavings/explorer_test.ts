import assert from "node:assert/strict";
import fc from "fast-check";
import { type Exploration, explore } from "./explore.ts";
import type { Run, Runner } from "./runner.ts";
import type { Operation } from "./scenarios/classics.ts";

const inClassics = (name: string, options: Partial<Exploration> = {}) =>
  explore({ file: "classics.ts", name, ...options });

const WRONG: Readonly<Record<string, RegExp>> = {
  lostUpdate: /1 !== 2/,
  lostPlainUpdate: /1 !== 2/,
  lostWakeUp: /Nobody can go on/,
  oneWokenOfTwo: /Nobody can go on/,
  notHandedOver: /are not in order/,
  brokenLock: /alone inside/,
  endless: /do not come to an end/,
};

for (const [name, expected] of Object.entries(WRONG)) {
  Deno.test(`the explorer finds what is wrong with ${name}, and tells the steps [FR-441]`, async () => {
    for (const options of [{}, { interruptionsMax: 1 }]) {
      const { failure = "" } = await inClassics(name, options);
      assert.match(failure, expected);
      assert.match(failure, /thread 0: \w+ cells\[\d/);
    }
  });
}

for (const name of ["keptUpdate", "keptWakeUp", "handedOver", "peterson"]) {
  Deno.test(`the explorer finds nothing wrong with ${name} [FR-441]`, async () => {
    for (const options of [{}, { interruptionsMax: 3 }]) {
      const { failure, isComplete, schedules } = await inClassics(name, options);
      assert.equal(failure, undefined);
      assert(isComplete && schedules > 1);
    }
  });
}

Deno.test("without interruptions, faults that need one are not found [FR-441]", async () => {
  const { failure, isComplete } = await inClassics("lostUpdate", { interruptionsMax: 0 });
  assert(isComplete && failure === undefined);
});

const cell = fc.nat(1);
const value = fc.nat(1);
const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({ op: fc.constantFrom("load" as const, "notify" as const), cell }),
  fc.record({
    op: fc.constantFrom("store" as const, "add" as const, "swapZero" as const, "wait" as const),
    ...{ cell, value },
  }),
);
const programs = fc.oneof(
  fc.array(fc.array(operation, { minLength: 1, maxLength: 3 }), { minLength: 2, maxLength: 2 }),
  fc.array(fc.array(operation, { minLength: 1, maxLength: 2 }), { minLength: 3, maxLength: 3 }),
);

/** Every way in which a program can end: who saw what, and what is left. */
async function endsOf(program: Operation[][], options: Partial<Exploration>): Promise<Set<string>> {
  const ends = new Set<string>();
  const onRun = ({ end, notes }: Run, { memory }: Runner) => {
    const cells = new Int32Array(memory["cells"] as SharedArrayBuffer);
    ends.add(JSON.stringify([end, notes, ...cells]));
  };
  const explored = await inClassics("random", { parameters: program, onRun, ...options });
  assert.equal(explored.failure, undefined);
  return ends;
}

Deno.test("leaving out schedules that differ in independent steps only loses no outcome [FR-441]", async () => {
  let outcomes = 0;
  await fc.assert(
    fc.asyncProperty(programs, async (program) => {
      const all = await endsOf(program, { interruptionsMax: Infinity });
      const reduced = await endsOf(program, {});
      assert.deepEqual(reduced, all);
      outcomes += all.size;
    }),
    { numRuns: Number(Deno.env.get("PBKFS_RANDOM_PROGRAMS") ?? 15) },
  );
  assert(outcomes > 15, "the programs have races");
});
