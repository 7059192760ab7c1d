/**
 * The command line that starts this program again: `deno run cli.ts`, or the compiled executable.
 *
 * @module
 */

let main = new URL("../cli.ts", import.meta.url).href;

/** The program and the arguments that come before a command's own. */
export function ownCommand(): { readonly program: string; readonly args: readonly string[] } {
  const program = Deno.execPath();
  if (Deno.build.standalone) return { program, args: [] };
  return { program, args: ["run", "-A", "--quiet", main] };
}

/** For a main module of its own that runs the commands: it is what is started again. */
export function startAgainAs(moduleUrl: string): void {
  main = moduleUrl;
}
