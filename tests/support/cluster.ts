/**
 * A new, empty cluster, for tests of what needs a server but no backup.
 *
 * @module
 */

import { findInstallation } from "../../postgres/mod.ts";
import { commandAs, type Identity } from "./users.ts";

/** Runs initdb in `dirPath`, which `owner` may write to. Not synced: it will not live long. */
export async function makeCluster(
  options: { dirPath: string; majorVersion: number; owner: Identity },
): Promise<void> {
  const { binDir } = findInstallation(options.majorVersion);
  const [program = "", ...args] = commandAs(options.owner, [
    `${binDir}/initdb`,
    ...["-D", options.dirPath, "-A", "trust", "-U", "postgres", "-N", "--locale=C", "-k"],
  ]);
  const { success, stderr } = await new Deno.Command(program, { args, cwd: "/" }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}
