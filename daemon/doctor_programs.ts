/**
 * Looks at the programs that go with a mount: PostgreSQL and pg_probackup.
 *
 * @module
 */

import { PbkfsError } from "../errors.ts";
import { listInstallations } from "../postgres/mod.ts";
import { type Finding, finding, fine, warning } from "./finding.ts";

/** All findings about programs. @param probackup The program, if not the one on PATH. */
export function lookAtPrograms(probackup: string | undefined): Promise<Finding[]> {
  return Promise.all([
    finding("postgresql", lookAtPostgres),
    finding("pg-probackup", () => lookAtProbackup(probackup)),
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

async function lookAtProbackup(program: string | undefined): Promise<Finding> {
  const id = "pg-probackup";
  let output: Deno.CommandOutput;
  try {
    const command = new Deno.Command(program ?? "pg_probackup", {
      args: ["--version"],
      stdin: "null",
    });
    output = await command.output();
  } catch (error) {
    if (program === undefined && error instanceof Deno.errors.NotFound) {
      return fine(id, "not installed, and not needed: pbkfs reads the catalog itself");
    }
    throw new PbkfsError("ProbackupFailed", {
      what: `Cannot run "${program ?? "pg_probackup"}": ${(error as Error).message}`,
      todo: "Name another program with --pg-probackup, or leave the option out.",
      cause: error,
    });
  }
  const text = new TextDecoder().decode(output.stdout).trim();
  // "pg_probackup 2.5.16 (PostgreSQL 15.8)"
  const [, version = "", minor = ""] = /\b((?:\d+\.(\d+))(?:\.\d+)*)/.exec(text) ?? [];
  if (version === "") return warning(id, `it says "${text}"`, "Is this pg_probackup?");
  if (version.startsWith("2.") && Number(minor) < 6) return fine(id, text);
  const todo = "pbkfs reads backups of versions 2.0 to 2.5.";
  return warning(id, `${text} is not known to pbkfs`, todo);
}
