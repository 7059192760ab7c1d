/**
 * A thread for the tests of `threads/`: it does what it is told, and fails where it is told to.
 *
 * @module
 */

import { PbkfsError } from "../../errors.ts";
import { type Begun, serveThread, tell } from "../../threads/mod.ts";

/** What to do. */
export interface SampleSetup {
  /** Handed over, and handed back. */
  readonly buffer: ArrayBuffer;
  readonly news: readonly string[];
  readonly failsAt?: "begin" | "run" | "later" | undefined;
  readonly runs: boolean;
}

serveThread({
  load(works: boolean): Promise<void> {
    return works ? Promise.resolve() : Promise.reject(new Error("no such codec"));
  },
  begin({ buffer, news, failsAt, runs }: SampleSetup): Promise<Begun<ArrayBuffer>> {
    const fail = (where: string) => {
      if (failsAt !== where) return;
      throw new PbkfsError("DiffInUse", { what: `It fails at ${where}`, todo: "Nothing." });
    };
    fail("begin");
    if (failsAt === "later") setTimeout(() => fail("later"), 20);
    const run = () => {
      for (const line of news) tell(line);
      fail("run");
    };
    return Promise.resolve({ ready: buffer, transfer: [buffer], ...(runs && { run }) });
  },
});
