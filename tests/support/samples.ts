/**
 * Which of the recorded catalogs a test takes that needs a server, of whichever version: one of a
 * version that is installed. Where several are, one is drawn, and printed.
 *
 * @module
 */

import { tryFindInstallation } from "../../postgres/mod.ts";
import type { FixtureName } from "./fixtures.ts";
import { mountObstacle, type Obstacle } from "./skip.ts";

/** A backup to mount, and the version of the server that can run on it. */
export interface ServerSample<Id extends string | undefined = string> {
  readonly fixture: FixtureName;
  /** The newest one of the only instance, if undefined. */
  readonly backupId: Id;
  readonly majorVersion: number;
}

/** The versions that there are recorded catalogs of. */
type Version = 15 | 17;

/** What each version has of a kind of sample. */
type ByVersion<Id extends string | undefined> = Readonly<
  Record<Version, Omit<ServerSample<Id>, "majorVersion">>
>;

/** Names the version to take, as the line says that tells what was drawn. */
const VARIABLE = "PBKFS_TEST_PG";

const VERSION = chooseVersion();

function chooseVersion(): Version {
  const named = Deno.env.get(VARIABLE);
  if (named === "15" || named === "17") return Number(named) as Version;
  if (named !== undefined && named !== "") {
    throw new Error(`${VARIABLE} is "${named}", expected 15 or 17`);
  }
  const found = ([15, 17] as const).filter((version) => tryFindInstallation(version));
  const drawn = found[Math.floor(Math.random() * found.length)] ?? 15;
  if (found.length > 1) {
    const line = `Servers are of PostgreSQL ${drawn}; again with ${VARIABLE}=${drawn}\n`;
    Deno.stdout.writeSync(new TextEncoder().encode(line));
  }
  return drawn;
}

function sample<Id extends string | undefined = string>(
  byVersion: ByVersion<Id>,
): ServerSample<Id> {
  return { ...byVersion[VERSION], majorVersion: VERSION };
}

/** How large a segment of the WAL is in the samples of that version. */
export const WAL_SEGMENT_MB = VERSION === 15 ? 1 : 16;

/** The newest backup of a chain with data checksums. */
export const CHAIN = sample({
  15: { fixture: "zlib-chain", backupId: "TOTL9U" },
  17: { fixture: "pg17-chain", backupId: "TOTLRS" },
});

/** The FULL backup of that chain. */
export const FULL = sample({
  15: { fixture: "zlib-chain", backupId: "TOTL93" },
  17: { fixture: "pg17-chain", backupId: "TOTLQ7" },
});

/** What is mounted where no backup is named. */
export const NEWEST = sample({
  15: { fixture: "damaged", backupId: "TOTLEQ" },
  17: { fixture: "pg17-chain", backupId: "TOTLRS" },
});

/** A backup that has its configuration files itself, as they are. */
export const WITH_CONFIGURATION = sample({
  15: { fixture: "damaged", backupId: "TOTLEQ" },
  17: { fixture: "pg17-chain", backupId: "TOTLQ7" },
});

/** The newest backup of a chain with two tablespaces. */
export const TABLESPACES = sample<string | undefined>({
  15: { fixture: "mixed-compression", backupId: "TOTLB5" },
  17: { fixture: "pg17-tablespaces", backupId: undefined },
});

/** What keeps us from running a server on these samples. */
export function sampleObstacle(as: "us" | "ordinary user" = "us"): Obstacle {
  const missing = tryFindInstallation(VERSION) === undefined;
  return mountObstacle(as) ?? (missing ? "neither PostgreSQL 15 nor 17 is installed" : undefined);
}
