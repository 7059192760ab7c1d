/**
 * Base backups of a running clone, with their tablespaces in places of their own.
 *
 * @module
 */

import type { PostgresServer } from "../../postgres/mod.ts";
import type { Scene } from "./scene.ts";

/** A tablespace whose data is reached through a link. */
export interface MovedTablespace {
  readonly oid: string;
  readonly from: string;
  /** Where it goes: a directory that does not exist yet. */
  readonly to: string;
}

/** The tablespaces of a server, with new places for them. */
export async function movedTablespaces(
  scene: Scene,
  server: PostgresServer,
): Promise<MovedTablespace[]> {
  const lines = await server.query(`select oid, pg_tablespace_location(oid) from pg_tablespace
    where pg_tablespace_location(oid) like '/%'`);
  return lines.split("\n").filter((line) => line !== "").map((line) => {
    const [oid = "", from = ""] = line.split("|");
    return { oid, from, to: `${scene.dirPath}/moved-${oid}` };
  });
}

/** Takes a backup of `server` in the form of a data directory, and gives its path. */
export async function takePlain(scene: Scene, server: PostgresServer): Promise<string> {
  const target = `${scene.dirPath}/plain`;
  const moved = await movedTablespaces(scene, server);
  const mappings = moved.map(({ from, to }) => `--tablespace-mapping=${from}=${to}`);
  await server.run("pg_basebackup", ["-D", target, "-c", "fast", "--no-sync", ...mappings]);
  return target;
}
