/**
 * Runs what mounts something once for each fast path, without it: `deno task test:without`.
 * Arguments name tests; without any it takes those below, for tens of minutes.
 *
 * @module
 */

import { FAST_PATHS, WITHOUT_VARIABLE } from "../daemon/fast_paths.ts";

const SUITES = ["tests/posix/", "tests/crash/", "tests/e2e_test.ts", "tests/tablespaces_test.ts"];

const suites = Deno.args.length > 0 ? Deno.args : SUITES;
const names = Object.keys(FAST_PATHS);
const failed: string[] = [];
for (const without of [...names, names.join()]) {
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", "--quiet", ...suites],
    env: { [WITHOUT_VARIABLE]: without },
  }).spawn().status;
  await Deno.stdout.write(
    new TextEncoder().encode(`without ${without}: ${success ? "passed" : "FAILED"}\n`),
  );
  if (!success) failed.push(without);
}
Deno.exit(failed.length === 0 ? 0 : 1);
