/**
 * A backup of a sample as a plain data directory, as a restore would leave it.
 *
 * @module
 */

import { resolveChain } from "../../backup/mod.ts";
import { unpackBackup } from "./catalog_writer/unpack_backup.ts";
import type { Fixture } from "./fixtures.ts";

/** Restores it below an existing directory. @returns The data directory. */
export async function restoreDirectory(
  { catalogPath }: Fixture,
  backupId: string,
  dirPath: string,
): Promise<string> {
  const spec = await resolveChain({ catalogPath, backupId, useProbackup: false });
  const { dataPath, walPaths, extraFiles } = await unpackBackup(spec, dirPath);
  Deno.mkdirSync(`${dataPath}/pg_wal`, { recursive: true });
  for (const path of walPaths) {
    Deno.copyFileSync(path, `${dataPath}/pg_wal/${path.slice(path.lastIndexOf("/") + 1)}`);
  }
  for (const [name, bytes] of Object.entries(extraFiles)) {
    // pg_probackup's own, which a restore does not write.
    if (name === "database_map") continue;
    Deno.writeFileSync(`${dataPath}/${name}`, bytes, { mode: 0o600 });
  }
  Deno.chmodSync(dataPath, 0o700);
  return Deno.realPathSync(dataPath);
}
