/**
 * Looks at the programs that go with a mount: PostgreSQL and pg_probackup.
 *
 * @module
 */

import {
  cannotRun,
  PROBACKUP_TIMEOUT_MS,
  type ProbackupOptions,
  type ProgramEnd,
  runBounded,
} from "../backup/mod.ts";
import { listInstallations } from "../postgres/mod.ts";
import { type Finding, finding, fine, warning } from "./finding.ts";

/** All findings about programs. */
export function lookAtPrograms(options: ProbackupOptions): Promise<Finding[]> {
  return Promise.all([
    finding("postgresql", lookAtPostgres),
    finding("pg-probackup", () => lookAtProbackup(options)),
  ]);
}

function lookAtPostgres(): Finding {
  const found = listInstallations();
  if (found.length > 0) {
    const list = found.map(({ majorVersion, binDir }) => `${majorVersion} in ${binDir}`);
    return fine("postgresql", `PostgreSQL ${list.join(", ")}`);
  }
  const todo = "Install the version of the backups, unless servers run elsewhere (in a container).";
  return warning("postgresql", "no PostgreSQL server is installed", todo);
}

const VERSION_BYTES_MAX = 64 * 1024;

async function lookAtProbackup(
  { probackup, useProbackup, probackupTimeoutMs: timeoutMs = PROBACKUP_TIMEOUT_MS }:
    ProbackupOptions,
): Promise<Finding> {
  const id = "pg-probackup";
  if (useProbackup === false) {
    return fine(id, "switched off: pbkfs reads the catalog itself");
  }
  const program = probackup ?? "pg_probackup";
  const useless = (why: string) =>
    warning(
      id,
      `"${program} --version" ${why}`,
      "pbkfs reads the catalog itself then. --pg-probackup none does without the program.",
    );
  let end: ProgramEnd;
  try {
    end = await runBounded(program, ["--version"], {
      timeoutMs,
      outputBytesMax: VERSION_BYTES_MAX,
    });
  } catch (error) {
    if (probackup !== undefined) throw cannotRun(program, error);
    if (error instanceof Deno.errors.NotFound) {
      return fine(id, "not installed, and not needed: pbkfs reads the catalog itself");
    }
    return useless(`cannot be run: ${(error as Error).message}`);
  }
  if (end.kind === "late") return useless(`did not end within ${timeoutMs / 1000} s`);
  if (end.kind === "endless") return useless("prints without end");
  if (end.code !== 0) return useless(`failed with ${end.code ?? end.signal}`);
  const text = new TextDecoder().decode(end.stdout).trim();
  // "pg_probackup 2.5.16 (PostgreSQL 15.8)"
  const [, version = "", minor = ""] = /\b((?:\d+\.(\d+))(?:\.\d+)*)/.exec(text) ?? [];
  if (version === "") return warning(id, `it says "${text}"`, "Is this pg_probackup?");
  if (version.startsWith("2.") && Number(minor) < 6) return fine(id, text);
  const todo = "pbkfs reads backups of versions 2.0 to 2.5.";
  return warning(id, `${text} is not known to pbkfs`, todo);
}
