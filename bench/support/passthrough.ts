/**
 * A pass-through in C to compare with: FUSE without any work behind it. It is compiled when needed;
 * where that cannot be, the plain directory takes its place, and the table says so.
 *
 * @module
 */

import { isRoot } from "../../postgres/mod.ts";
import { detachMounts, isMounted } from "../../tests/support/mounts.ts";
import { say, type World } from "./world.ts";

/** Something to read from that passes on a directory, or the directory itself. */
export interface Passthrough extends AsyncDisposable {
  readonly dirPath: string;
}

/** As our own mounts have them. Who else runs a server there must be let in. */
const OPTIONS = ["default_permissions", "max_read=1048576", ...isRoot() ? ["allow_other"] : []];
const SOURCE = new URL("./passthrough.c", import.meta.url).pathname;
const compiled = new WeakMap<World, string | undefined>();

/** The program, or undefined if this machine cannot compile it. */
export async function passthroughProgram(world: World): Promise<string | undefined> {
  if (!compiled.has(world)) compiled.set(world, await compile(world.newPath("passthrough")));
  return compiled.get(world);
}

async function compile(target: string): Promise<string | undefined> {
  const args = ["-O2", "-o", target, SOURCE, "-I/usr/include/fuse3", "-lfuse3", "-lpthread"];
  try {
    const { success, stderr } = await new Deno.Command("cc", { args }).output();
    if (success) return target;
    say(`cannot compile the pass-through: ${new TextDecoder().decode(stderr).split("\n")[0]}`);
  } catch {
    say("cannot compile the pass-through: there is no cc");
  }
  return undefined;
}

/** How a table calls it. */
export async function passthroughName(world: World): Promise<string> {
  return await passthroughProgram(world) === undefined
    ? "PLAIN DIRECTORY: no cc or libfuse3-dev here"
    : "pass-through in C";
}

/** Mounts a pass-through of `sourceDir`. */
export async function mountPassthrough(world: World, sourceDir: string): Promise<Passthrough> {
  const program = await passthroughProgram(world);
  if (program === undefined) return { dirPath: sourceDir, [Symbol.asyncDispose]: async () => {} };
  const dirPath = world.newPath("passed");
  Deno.mkdirSync(dirPath);
  const child = new Deno.Command(program, {
    args: [sourceDir, dirPath, "-o", OPTIONS.join()],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let isGone = false;
  const dispose = async () => {
    if (isGone) return;
    isGone = true;
    child.kill("SIGTERM");
    await child.status;
    detachMounts(dirPath);
    await Deno.remove(dirPath);
  };
  world.defer(dispose);
  const lines = child.stdout.getReader();
  await lines.read(); // "mounted", or the end of a program that failed.
  await lines.cancel();
  if (!isMounted(dirPath)) {
    await child.status;
    throw new Error(`The pass-through of ${sourceDir} was not mounted`);
  }
  return { dirPath, [Symbol.asyncDispose]: dispose };
}
