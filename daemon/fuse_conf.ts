/**
 * The setting in `/etc/fuse.conf` that lets other users into a mount.
 *
 * @module
 */

import { isRootBehind } from "../ffi/credentials.ts";

/**
 * Root may let others in; anybody else only if `/etc/fuse.conf` says `user_allow_other`.
 *
 * @param conf The file's text.
 */
export function mayAllowOthers(conf = readConf()): boolean {
  if (isRootBehind()) return true;
  return conf.split("\n").some((line) => line.trim() === "user_allow_other");
}

function readConf(): string {
  try {
    return Deno.readTextFileSync("/etc/fuse.conf");
  } catch {
    // Absent or not readable for us: then it allows nothing that we could use.
    return "";
  }
}
