import assert from "node:assert/strict";
import { kernelAsks, planSpace, type SpaceFacts } from "./space_plan.ts";

const MIB = 1 << 20;
const GIB = 1024 * MIB;
const facts: SpaceFacts = {
  totalBytes: 500 * GIB,
  totalFiles: 1e7,
  dirtyBytes: 48 * MIB,
  canLower: true,
  kernelAsks: true,
};

Deno.test("the reserve holds twice what the kernel may have gathered [FR-468]", () => {
  for (const totalBytes of [64 * MIB, 256 * MIB, GIB, 100 * GIB, 10_000 * GIB]) {
    for (const canLower of [true, false]) {
      for (const dirtyBytes of [8 * MIB, 48 * MIB, 512 * MIB]) {
        const plan = planSpace({ ...facts, totalBytes, canLower, dirtyBytes });
        if (!plan.gathers) continue;
        const limit = plan.dirtyBytes ?? dirtyBytes;
        assert(limit <= dirtyBytes, "the kernel's limit is never raised");
        assert(plan.reserveBytes >= 2 * limit, `${plan.reserveBytes} for ${limit}`);
        assert(plan.reserveBytes + plan.limits.lowBytes <= totalBytes / 3, "most can be used");
      }
    }
  }
});

Deno.test("the kernel's limit is lowered on small disks, where that can be done [FR-468]", () => {
  assert.equal(planSpace(facts).dirtyBytes, undefined, "a large disk has room for the reserve");
  assert.equal(planSpace({ ...facts, totalBytes: 256 * MIB }).dirtyBytes, 8 * MIB);
  const ordinary = planSpace({ ...facts, totalBytes: 256 * MIB, canLower: false });
  assert.equal(ordinary.gathers, false);
  assert.match(ordinary.note ?? "", /too small/);
  assert.equal(planSpace({ ...facts, totalBytes: GIB, canLower: false }).gathers, true);
});

Deno.test("without what the kernel gathers, little is kept [FR-468]", () => {
  const plan = planSpace({ ...facts, totalBytes: 16 * MIB });
  assert.equal(plan.gathers, false);
  assert.equal(plan.reserveBytes, MIB);
  assert.equal(plan.limits.lowBytes, 0);
});

Deno.test("kernels before 5.16 are not made to ask [FR-468]", () => {
  assert.deepEqual(
    ["5.10.0-28-amd64", "5.15.0", "5.16.1", "6.1.0-37-amd64", "6.18.44", "10.0"].map(kernelAsks),
    [false, false, true, true, true, true],
  );
  const plan = planSpace({ ...facts, kernelAsks: false });
  assert(plan.gathers && !plan.asks);
});
