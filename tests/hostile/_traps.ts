/**
 * What an owner of a catalog can lay out where a file should be.
 *
 * @module
 */

import assert from "node:assert/strict";

/** Something that is no file of theirs. */
export interface Trap {
  readonly what: string;
  readonly needsRoot?: boolean;
  /** @param secret A file that is root's, if we are root. */
  lay(path: string, secret: string): void;
}

function run(program: string, ...args: string[]): void {
  const { success, stderr } = new Deno.Command(program, { args }).outputSync();
  assert(success, new TextDecoder().decode(stderr));
}

/** All of them. */
export const TRAPS: readonly Trap[] = [
  { what: "a pipe", lay: (path) => run("mkfifo", path) },
  { what: "a directory", lay: (path) => Deno.mkdirSync(path) },
  { what: "a link", lay: (path, secret) => Deno.symlinkSync(secret, path) },
  { what: "a link to nothing", lay: (path) => Deno.symlinkSync("nowhere", path) },
  { what: "a link to itself", lay: (path) => Deno.symlinkSync(path, path) },
  {
    what: "a socket",
    lay(path) {
      // A path of a socket is short; the name stays when nobody listens any more.
      const short = Deno.makeTempDirSync();
      using _listener = Deno.listen({ transport: "unix", path: `${short}/s` });
      Deno.renameSync(`${short}/s`, path);
      Deno.removeSync(short);
    },
  },
  {
    what: "a hard link",
    needsRoot: true,
    lay: (path, secret) => Deno.linkSync(secret, path),
  },
  { what: "a device", needsRoot: true, lay: (path) => run("mknod", path, "c", "1", "5") },
  { what: "a terminal", needsRoot: true, lay: (path) => run("mknod", path, "c", "5", "0") },
];
