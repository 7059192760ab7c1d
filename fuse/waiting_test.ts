import assert from "node:assert/strict";
import { Waiting } from "./waiting.ts";

Deno.test("nobody waits for a session that sleeps; for one that is busy, not longer than it is [FR-1012]", async () => {
  const session = new Waiting();
  const control = new Waiting(session.shared);
  assert.equal(control.waitedMs(), 0, "it has not begun");
  session.idle();
  const first = control.waitedMs();
  assert(first >= 0 && first < Infinity);
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert(control.waitedMs() >= 15, "since then it has been busy");
  session.asleep();
  assert.equal(control.waitedMs(), 0);
});
