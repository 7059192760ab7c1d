/**
 * A tree as its users see it, to be compared with what it is later.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { byteStringOf } from "../../ffi/bytes.ts";
import { lstat, readLink } from "../support/posix.ts";

/** Path to type, mode, inode number, links, owner, size, time of modification, and contents. */
export function treeOf(dirPath: string, below = ""): Record<string, string> {
  const found: Record<string, string> = {};
  const path = `${dirPath}${below}`;
  const { type, mode, ino, links, uid, gid, sizeBytes, modified } = lstat(byteStringOf(path));
  const size = type === "directory" ? "" : sizeBytes;
  const content = type === "file"
    ? createHash("sha256").update(Deno.readFileSync(path)).digest("hex")
    : type === "symlink"
    ? readLink(byteStringOf(path))
    : "";
  found[below] = `${type} ${mode.toString(8)} inode ${ino} links ${links} ${uid}:${gid} ${size} ` +
    `${modified} ${content}`;
  if (type !== "directory") return found;
  for (const { name } of Deno.readDirSync(path)) {
    Object.assign(found, treeOf(dirPath, `${below}/${name}`));
  }
  return found;
}
