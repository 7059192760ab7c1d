/**
 * All that can be told of a directory tree, to show that somebody did not touch it.
 *
 * @module
 */

import { createHash } from "node:crypto";

/** Path to type, mode, owner, size, time of change in nanoseconds, and contents. */
export type Snapshot = Record<string, string>;

/** Looks at everything under `dirPath`, the directory itself included. */
export async function snapshot(dirPath: string): Promise<Snapshot> {
  // Of the times that Deno gives, the last six digits are zeros. find prints all.
  const format = "%P\\0%y %m %U:%G %s %T@ %l\\0";
  const { stdout, success } = await new Deno.Command("find", {
    args: [dirPath, "-printf", format],
  }).output();
  if (!success) throw new Error(`find ${dirPath} failed`);
  const fields = new TextDecoder("latin1").decode(stdout).split("\0");
  const found: Snapshot = {};
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const [path = "", facts = ""] = fields.slice(at, at + 2);
    found[path] = facts.startsWith("f") ? `${facts}${digest(`${dirPath}/${path}`)}` : facts;
  }
  return found;
}

function digest(path: string): string {
  return createHash("sha256").update(Deno.readFileSync(path)).digest("hex");
}
