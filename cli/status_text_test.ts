/** Status for people. */

import assert from "node:assert/strict";
import type { ShownMount } from "./status_document.ts";
import { mountFacts, mountTable } from "./status_text.ts";

const MOUNT: ShownMount = {
  mountPath: "/clones/one",
  diffPath: "/clones/one.diff",
  state: "serving",
  tasks: {
    isPaused: true,
    list: [
      { name: "commit", state: "waiting", runs: 3, failures: 2, error: "no room" },
      { name: "diff size", state: "idle", runs: 1, failures: 1 },
    ],
  },
};
const FAILED = 'background task "commit" failed, 2 of 3 times: no room';

Deno.test("status for people says when strays are still being counted [FR-1014]", () => {
  const size = { dataBytes: 1, walBytes: 0, otherBytes: 0, ageSeconds: 0 };
  const lineOf = (isComplete: boolean) =>
    mountFacts({
      ...MOUNT,
      diff: { ...size, isComplete },
      lostAndFound: { count: 2, sizeBytes: 8192 },
    }).find((line) => line.startsWith("lost+found"));
  assert.match(lineOf(true) ?? "", / 2 files that nothing names, 8/);
  assert.match(lineOf(false) ?? "", / more than 2 files that nothing names, 8/);
});

Deno.test("status for people tells of background tasks, and first of those that fail [FR-1016]", () => {
  const facts = mountFacts(MOUNT);
  const line = facts.find((one) => one.startsWith("background "));
  assert.match(line ?? "", /^background +paused; commit waiting, 3 runs; diff size 1 run$/);
  assert(facts.includes(FAILED));
  const table = mountTable([MOUNT], { width: 120, now: Date.now() });
  assert.deepEqual(table.slice(2), [`/clones/one: ${FAILED}`]);
});
