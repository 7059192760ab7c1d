/**
 * Runs the command line as its users do: as a program of its own.
 *
 * @module
 */

import { FAULTS_VARIABLE } from "../../testing/faults/faults_variable.ts";
import { checkoutFor } from "./checkout.ts";
import { commandAs, type Identity } from "./users.ts";

/** How a command ended. */
export interface CliOutcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Who runs it, and for how long at most. */
export interface CliOptions {
  readonly user?: Identity | undefined;
  readonly env?: Readonly<Record<string, string>>;
  /** A plan of faults for its daemon, see `testing/faults/faulty_libc.ts`; none if empty. */
  readonly faults?: string | undefined;
  readonly timeoutMs?: number;
  /** `ulimit -n`, for the command and the daemon that it starts. */
  readonly descriptorsMax?: number | undefined;
}

const text = new TextDecoder();

/** Runs `deno run -A cli.ts ARGS` and waits for its end, whatever the exit status. */
export async function runCli(
  args: readonly string[],
  options: CliOptions = {},
): Promise<CliOutcome> {
  const { dirPath, denoPath, denoDir } = await checkoutFor(options.user);
  const { descriptorsMax: max, faults = "" } = options;
  const main = faults === "" ? "cli.ts" : "testing/faults/faulty_cli.ts";
  const command = [denoPath, "run", "-A", `${dirPath}/${main}`, ...args];
  const limit = max === undefined ? [] : ["prlimit", `--nofile=${max}:${max}`];
  const [program = "", ...rest] = commandAs(options.user, [...limit, ...command]);
  const output = await new Deno.Command(program, {
    args: rest,
    cwd: "/",
    env: {
      ...(denoDir === undefined ? {} : { DENO_DIR: denoDir, HOME: dirPath }),
      DENO_NO_UPDATE_CHECK: "1",
      NO_COLOR: "1",
      ...(faults !== "" && { [FAULTS_VARIABLE]: faults }),
      ...options.env,
    },
    signal: AbortSignal.timeout(options.timeoutMs ?? 60_000),
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).output();
  return {
    code: output.code,
    stdout: text.decode(output.stdout),
    stderr: text.decode(output.stderr),
  };
}
