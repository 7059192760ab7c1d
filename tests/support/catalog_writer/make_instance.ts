/**
 * An empty catalog.
 *
 * @module
 */

/** What `pg_probackup.conf` tells. */
export interface InstancePlan {
  readonly catalogPath: string;
  /** `main` if left out. */
  readonly name?: string;
  readonly systemIdentifier: string;
  readonly walSegmentBytes: number;
}

/** Makes the directories of an instance, and its settings. @returns Its directory. */
export function makeInstance(plan: InstancePlan): string {
  const { catalogPath, name = "main", systemIdentifier, walSegmentBytes } = plan;
  const instancePath = `${catalogPath}/backups/${name}`;
  Deno.mkdirSync(instancePath, { recursive: true, mode: 0o700 });
  Deno.mkdirSync(`${catalogPath}/wal/${name}`, { recursive: true, mode: 0o700 });
  Deno.writeTextFileSync(
    `${instancePath}/pg_probackup.conf`,
    [
      "# Backup instance information",
      "pgdata = /var/lib/postgresql/data",
      `system-identifier = ${systemIdentifier}`,
      `xlog-seg-size = ${walSegmentBytes}`,
      "",
    ].join("\n"),
  );
  return instancePath;
}
