/**
 * pbkfs as `./run install` puts it on a machine, below a directory of the test's own.
 *
 * @module
 */

import { checkoutFor, ownDenoDir } from "./checkout.ts";
import type { CliOutcome } from "./cli.ts";
import { commandAs, type Identity, isRoot } from "./users.ts";

/** How a command is run. */
export interface RunOptions {
  readonly user?: Identity | undefined;
  /** All of it: nothing of our own environment is handed on. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/** Where nobody answers. */
const NOWHERE = "http://127.0.0.1:9/";

async function run(command: readonly string[], options: RunOptions): Promise<CliOutcome> {
  const [program = "", ...args] = command;
  const { code, stdout, stderr } = await new Deno.Command(program, {
    args,
    cwd: options.cwd ?? "/",
    clearEnv: true,
    env: { PATH, ...options.env },
    stdin: "null",
  }).output();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

/** Runs a command that can reach no other machine, and no registry of packages. */
export function runCutOff(
  command: readonly string[],
  options: RunOptions = {},
): Promise<CliOutcome> {
  const { user, env } = options;
  const alone = isRoot() ? ["unshare", "--net", "--"] : [];
  return run([...alone, ...commandAs(user, command)], {
    ...options,
    env: { NPM_CONFIG_REGISTRY: NOWHERE, HTTPS_PROXY: NOWHERE, HTTP_PROXY: NOWHERE, ...env },
  });
}

/** Runs `./run ARGS` in a checkout that `user` can read, with the Deno that runs the tests. */
export async function runScript(
  args: readonly string[],
  options: RunOptions = {},
): Promise<CliOutcome> {
  const { dirPath, denoPath, denoDir } = await checkoutFor(options.user);
  const denoBin = denoPath.slice(0, denoPath.lastIndexOf("/"));
  return await run(commandAs(options.user, [`${dirPath}/run`, ...args]), {
    ...options,
    env: {
      DENO_DIR: denoDir ?? ownDenoDir(),
      HOME: dirPath,
      PATH: `${denoBin}:${PATH}`,
      ...options.env,
    },
  });
}

/** All that lies below a directory, by relative path; directories end with a slash. */
export function listing(dirPath: string, below = ""): string[] {
  return [...Deno.readDirSync(`${dirPath}/${below}`)].flatMap(({ name, isDirectory }) => {
    const path = `${below}${name}`;
    return isDirectory ? [`${path}/`, ...listing(dirPath, `${path}/`)] : [path];
  }).sort();
}
