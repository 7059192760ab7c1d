/**
 * Runs a program to its end.
 *
 * @module
 */

import { PbkfsError } from "../errors.ts";
import { commandAs, type Identity } from "./identity.ts";

/** What to run, and as whom. */
export interface Job {
  readonly command: readonly string[];
  readonly user?: Identity | undefined;
  /** The whole environment: nothing is inherited, so that no PGHOST of the caller leaks in. */
  readonly env: Readonly<Record<string, string>>;
  readonly workDir: string;
  /** Killed after that. */
  readonly timeoutMs: number;
}

/** How a program ended. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs `job` and waits for it, whatever its exit status.
 *
 * @throws {PbkfsError} `PostgresFailed` if it cannot be started or does not end in time.
 */
export async function run(job: Job): Promise<Outcome> {
  const [program = "", ...args] = commandAs(job.user, job.command);
  const signal = AbortSignal.timeout(job.timeoutMs);
  let output: Deno.CommandOutput;
  try {
    output = await new Deno.Command(program, {
      args,
      signal,
      cwd: job.workDir,
      env: { ...job.env },
      clearEnv: true,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).output();
  } catch (cause) {
    throw new PbkfsError("PostgresFailed", {
      what: `Cannot run ${program}: ${cause instanceof Error ? cause.message : cause}`,
      cause,
    });
  }
  const text = new TextDecoder();
  const stderr = text.decode(output.stderr);
  if (signal.aborted && output.signal !== null) {
    throw new PbkfsError("PostgresFailed", {
      what: `${job.command.join(" ").slice(0, 200)} did not end within ${job.timeoutMs} ms` +
        (stderr === "" ? "" : `; it said: ${stderr.trim()}`),
    });
  }
  return { code: output.code, stdout: text.decode(output.stdout), stderr };
}
