/**
 * How this program starts itself again: as `deno run cli.ts`, or as the compiled executable.
 *
 * @module
 */

/** The program and the arguments that come before a command's own. */
export function ownCommand(): { readonly program: string; readonly args: readonly string[] } {
  const program = Deno.execPath();
  if (Deno.build.standalone) return { program, args: [] };
  const cli = new URL("../cli.ts", import.meta.url);
  return { program, args: ["run", "-A", "--quiet", cli.href] };
}
