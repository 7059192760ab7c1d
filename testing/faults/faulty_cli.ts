/**
 * The program with faults on purpose: `cli.ts`, in whose daemons calls fail, or end the process, as
 * the environment variable {@link FAULTS_VARIABLE} plans it. The program itself knows no faults.
 *
 * @module
 */

import { main } from "../../cli/main.ts";
import { startAgainAs } from "../../daemon/own_command.ts";
import { parseFaults } from "./faulty_libc.ts";
import { FAULTS_VARIABLE } from "./faults_variable.ts";

if (import.meta.main) {
  parseFaults(Deno.env.get(FAULTS_VARIABLE) ?? ""); // Rather here than in each thread.
  startAgainAs(import.meta.url);
  armThreads();
  Deno.exit(await main(Deno.args));
}

/** Threads that are started from now on have the faults of the plan in them. */
function armThreads(): void {
  const arm = import.meta.resolve("./arm_thread.ts");
  globalThis.Worker = class extends Worker {
    constructor(module: string | URL, options?: WorkerOptions) {
      // Imports are carried out in turn, and before the first message is looked for.
      const text = [arm, module].map((url) => `import ${JSON.stringify(url)};`).join("\n");
      super(`data:text/javascript,${encodeURIComponent(text)}`, options);
    }
  };
}
