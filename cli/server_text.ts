/**
 * The text on how to start and stop a server, as people read it.
 *
 * @module
 */

import type { ServerAdvice } from "../operate/mod.ts";

/** What to do with a new mount. */
export function adviceLines({ version, user, port, commands }: ServerAdvice): string[] {
  const who = user.name ?? `the user with number ${user.uid}`;
  if (commands !== undefined) {
    const { start, connect } = commands;
    const isRoot = Deno.uid() === 0;
    const lines = [`start PostgreSQL ${version} as ${who}; port ${port} is free:`];
    if (!isRoot) return [...lines, `  ${start.asUser}`, "then:", `  ${connect.asUser}`];
    return [
      ...[...lines, `  as root: ${start.asRoot}`, `  as ${who}: ${start.asUser}`],
      ...["then:", `  ${connect.asRoot}`],
    ];
  }
  if (user.uid === 0) {
    return [
      `the files belong to root, as the backup does, and PostgreSQL does not run as root: give the ` +
      `catalog to the user who is to run PostgreSQL ${version}, and mount with a new diff`,
    ];
  }
  if (port === undefined) {
    return [`start PostgreSQL ${version} as ${who}; no port from 5433 to 5999 is free`];
  }
  return [
    `PostgreSQL ${version} is not installed on this machine, and servers of other versions refuse ` +
    `these files: install it, or say where it is with PBKFS_PGBIN_${version}; start it as ${who}`,
  ];
}
