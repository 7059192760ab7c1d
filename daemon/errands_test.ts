/** What the main thread asks of the thread that serves the kernel. */

import assert from "node:assert/strict";
import { systemLibc } from "../ffi/libc.ts";
import { ErrandRunner, Errands } from "./errands.ts";

const libc = systemLibc();

/** Both sides, and the numbers under which syncs were done. */
function makeErrands() {
  const errands = new Errands(libc);
  const done: number[] = [];
  const committed: number[] = [];
  const runner = new ErrandRunner(errands.data, libc, {
    sync: (number) => void done.push(number),
    commit: (number) => void committed.push(number),
  });
  const isWoken = () => libc.waitReadable(runner.wakeFd, 0);
  return { errands, runner, done, committed, isWoken };
}

Deno.test("an errand wakes, is done once, and one sync answers all that were wanted [FR-784]", () => {
  const { errands, runner, done, isWoken } = makeErrands();
  runner.run();
  assert(!isWoken());
  assert.deepEqual([errands.wantSync(), errands.wantSync()], [1, 2]);
  assert(isWoken());
  runner.woken();
  assert(!isWoken(), "nothing is left that would wake it for ever");
  runner.run();
  runner.run();
  assert.deepEqual(done, [2]);
  assert.equal(errands.wantSync(), 3);
  // The thread may look before it is woken.
  runner.run();
  assert.deepEqual(done, [2, 3]);
  assert(isWoken());
  runner.woken();
  errands.close();
});

Deno.test("the end is wanted from then on, and what comes after the end is left alone [FR-784]", () => {
  const { errands, runner, isWoken } = makeErrands();
  assert(!runner.isEndWanted);
  errands.wantEnd();
  errands.wantEnd();
  assert(runner.isEndWanted && isWoken());
  errands.close();
  errands.close();
  // Its descriptors may be others' by now.
  errands.wantSync();
  errands.wantEnd();
});

Deno.test("a commit waits for no quiet moment, and is done once for all that were wanted [FR-784]", () => {
  const { errands, runner, done, committed, isWoken } = makeErrands();
  runner.runBetween();
  assert.deepEqual([errands.wantCommit(), errands.wantCommit()], [1, 2]);
  assert(isWoken());
  runner.woken();
  runner.run();
  assert.deepEqual([done, committed], [[], []]);
  runner.runBetween();
  runner.runBetween();
  assert.deepEqual([done, committed], [[], [2]]);
  errands.close();
});
