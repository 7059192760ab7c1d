/**
 * Strangers: processes of somebody else, who connect to a mount.
 *
 * @module
 */

import { checkoutFor } from "../support/checkout.ts";
import { commandAs, type Identity } from "../support/users.ts";

/** Lets a stranger loose on a port; it has done its worst when this returns. `await using` it. */
export async function strangerOn(
  port: number,
  { user, connections }: { readonly user: Identity; readonly connections: number },
): Promise<AsyncDisposable> {
  const { dirPath, denoPath, denoDir } = await checkoutFor(user);
  const script = `${dirPath}/tests/hostile/_stranger.ts`;
  const words = [denoPath, "run", "-A", script, `${port}`, `${connections}`];
  const [program = "", ...args] = commandAs(user, words);
  const child = new Deno.Command(program, {
    args,
    cwd: "/",
    env: denoDir === undefined ? {} : { DENO_DIR: denoDir, HOME: dirPath },
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  reader.releaseLock();
  await child.stdout.cancel();
  const text = new TextDecoder().decode(value);
  const end = async () => {
    await child.stdin.close();
    await child.status;
  };
  if (text === "done\n") return { [Symbol.asyncDispose]: end };
  await end();
  throw new Error(`The stranger said "${text}"`);
}
