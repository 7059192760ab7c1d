/**
 * Directories of a backup that lie outside the data directory: tablespaces and external ones.
 *
 * @module
 */

import { type ByteString, byteString } from "../../../ffi/bytes.ts";

/**
 * Reads a stored `tablespace_map`: a line `<oid> <path>` for each tablespace.
 *
 * @returns The paths on the server, by oid. Lines of another form are ignored.
 */
export function parseTablespaceMap(bytes: Uint8Array): ReadonlyMap<ByteString, ByteString> {
  const map = new Map<ByteString, ByteString>();
  for (const line of byteString(bytes).split("\n")) {
    const found = /^(\d+) (.+?)\r?$/s.exec(line);
    if (found === null) continue;
    map.set(found[1] as ByteString, found[2] as ByteString);
  }
  return map;
}

/**
 * The external directories of a backup in the order of their numbers: number 1 comes first.
 *
 * @param dirs `external-dirs` of the control file: `/a:/b`. The order is not that of the text.
 * @see make_external_directory_list in pg_probackup, src/dir.c
 */
export function externalDirectories(dirs: ByteString | undefined): ByteString[] {
  return (dirs ?? "").split(":").filter((path) => path !== "").map(canonicalPath).sort();
}

function canonicalPath(path: string): ByteString {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part === "..") parts.pop();
    else parts.push(part);
  }
  return `/${parts.join("/")}` as ByteString;
}
