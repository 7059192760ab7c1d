/**
 * All that can be told of a directory tree, to show that somebody did not touch it.
 *
 * @module
 */

import { createHash } from "node:crypto";

/** Path to type, mode, owner, size, time of change in nanoseconds, and contents. */
export type Snapshot = Record<string, string>;

/**
 * pg_probackup's lock files, which a mount keeps in the directories of backups as a restore does.
 * They come and go, and leave nothing but the time of the directory; a crash leaves them to the
 * next who looks.
 */
const LOCK_FILE = /^backups\/[^/]+\/[^/]+\/(backup|backup_ro)\.pid(tmp)?$/;
const LOCKED_DIRECTORY = /^backups\/[^/]+\/[^/]+$/;

/**
 * Looks at everything under `dirPath`, the directory itself included.
 *
 * @param options.locks Of a catalog: whether to look at lock files and their traces, too.
 */
export async function snapshot(
  dirPath: string,
  options: { readonly locks: boolean } = { locks: false },
): Promise<Snapshot> {
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
    if (!options.locks && LOCK_FILE.test(path)) continue;
    const isLocked = !options.locks && facts.startsWith("d") && LOCKED_DIRECTORY.test(path);
    if (isLocked) found[path] = facts.split(" ").slice(0, 3).join(" ");
    else if (facts.startsWith("f")) found[path] = `${facts}${digest(`${dirPath}/${path}`)}`;
    else found[path] = facts;
  }
  return found;
}

function digest(path: string): string {
  return createHash("sha256").update(Deno.readFileSync(path)).digest("hex");
}
