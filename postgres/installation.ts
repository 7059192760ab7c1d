/**
 * The PostgreSQL programs that this machine has, by major version.
 *
 * @module
 */

import { PbkfsError } from "../errors.ts";

/** One set of server programs. */
export interface Installation {
  /** 15, 17; 9.6 for the versions that still had two parts. */
  readonly majorVersion: number;
  /** The directory that holds `postgres`, `pg_ctl`, `psql` and the like. */
  readonly binDir: string;
}

/**
 * Finds the server programs of a major version: the directory named by `PBKFS_PGBIN_<version>`,
 * `/usr/lib/postgresql/<version>/bin` and `/usr/pgsql-<version>/bin`, as packages install them,
 * and last the `PATH`.
 *
 * @throws {PbkfsError} `PostgresFailed` if the version is not installed.
 */
export function findInstallation(majorVersion: number): Installation {
  const found = tryFindInstallation(majorVersion);
  if (found !== undefined) return found;
  throw new PbkfsError("PostgresFailed", {
    what: `PostgreSQL ${majorVersion} is not installed: no directory of ` +
      `${candidates(majorVersion).join(", ")} has its server program`,
    todo: `Install PostgreSQL ${majorVersion}, or set PBKFS_PGBIN_${majorVersion} to the ` +
      `directory that holds its programs.`,
  });
}

/** As {@link findInstallation}, but undefined where the version is not installed. */
export function tryFindInstallation(majorVersion: number): Installation | undefined {
  const binDir = candidates(majorVersion).find((dir) => hasServer(dir, majorVersion));
  return binDir === undefined ? undefined : { majorVersion, binDir };
}

/** The versions that can be restored from a catalog of pg_probackup 2. */
const MAJOR_VERSIONS = [9.5, 9.6, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19];

/** All that are installed, oldest first. */
export function listInstallations(): Installation[] {
  return MAJOR_VERSIONS.map(tryFindInstallation).filter((found) => found !== undefined);
}

/**
 * The major version of a data directory, from its `PG_VERSION`.
 *
 * @throws {PbkfsError} `PostgresFailed` if there is no such file or it says something else.
 */
export function majorVersionOf(dataDir: string): number {
  const path = `${dataDir}/PG_VERSION`;
  let text: string;
  try {
    text = Deno.readTextFileSync(path).trim();
  } catch (cause) {
    throw new PbkfsError("PostgresFailed", {
      what: `${dataDir} is not a PostgreSQL data directory: ${path} cannot be read`,
      todo: "Name the directory that holds PG_VERSION, as the user that owns it.",
      cause,
    });
  }
  return parseMajorVersion(text) ?? raiseVersion(path, text);
}

/** `15`, `9.6` as a number, and the major version of `15.4`; undefined if it is something else. */
export function parseMajorVersion(text: string): number | undefined {
  const match = /^(\d+)(?:\.(\d+))?/.exec(text);
  if (match === null) return undefined;
  const first = Number(match[1]);
  return first >= 10 || match[2] === undefined ? first : Number(`${first}.${match[2]}`);
}

function raiseVersion(path: string, text: string): never {
  throw new PbkfsError("PostgresFailed", {
    what: `${path} says "${text.slice(0, 40)}" where a version such as 15 was expected`,
  });
}

function candidates(majorVersion: number): string[] {
  const named = Deno.env.get(`PBKFS_PGBIN_${majorVersion}`);
  return [
    ...(named === undefined || named === "" ? [] : [named]),
    `/usr/lib/postgresql/${majorVersion}/bin`,
    `/usr/pgsql-${majorVersion}/bin`,
    ...(Deno.env.get("PATH") ?? "").split(":").filter((dir) => dir.startsWith("/")),
  ];
}

/** Whether `dir` has a `postgres` that says it is of that version. */
function hasServer(dir: string, majorVersion: number): boolean {
  const program = `${dir}/postgres`;
  try {
    if (!Deno.statSync(program).isFile) return false;
    const { stdout } = new Deno.Command(program, { args: ["--version"], stderr: "null" })
      .outputSync();
    // "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"
    const version = /\) (\d+(?:\.\d+)?)/.exec(new TextDecoder().decode(stdout))?.[1];
    return version !== undefined && parseMajorVersion(version) === majorVersion;
  } catch {
    return false; // Not there, or not for us to run: the next candidate may do.
  }
}
