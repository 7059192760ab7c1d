/**
 * The mounts of this host, as the kernel lists them. Reading the list does not touch a mount.
 *
 * @module
 */

/** One line of `/proc/self/mountinfo`. */
export interface MountEntry {
  readonly mountPath: string;
  /** Major and minor number, such as `0:45`. */
  readonly device: string;
  /** Such as `fuse.pbkfs`. */
  readonly type: string;
  readonly source: string;
}

/** A pbkfs mount: its source names the diff. */
export interface PbkfsMount {
  /** Where it is mounted, without symbolic links. */
  readonly mountPath: string;
  /** Where its changes go. */
  readonly diffPath: string;
}

/** What stands before the diff's path in the source of a mount. */
export const SOURCE_PREFIX = "pbkfs:";

/** All mounts, in the order in which they were made. */
export function listMounts(text = Deno.readTextFileSync("/proc/self/mountinfo")): MountEntry[] {
  return text.split("\n").filter((line) => line !== "").map((line) => {
    const [before = "", after = ""] = line.split(" - ");
    const [type = "", source = ""] = after.split(" ");
    const [, , device = "", , mountPath = ""] = before.split(" ");
    return {
      mountPath: unescape(mountPath),
      device,
      type: unescape(type),
      source: unescape(source),
    };
  });
}

/** What is mounted on a directory; the topmost, if there are several. */
export function findMount(mountPath: string): MountEntry | undefined {
  return listMounts().findLast((mount) => mount.mountPath === mountPath);
}

/** The pbkfs mount on a directory; the topmost, if there are several. */
export function findPbkfsMount(mountPath: string): PbkfsMount | undefined {
  const found = findMount(mountPath);
  if (found?.type !== "fuse.pbkfs") return undefined;
  return { mountPath, diffPath: found.source.slice(SOURCE_PREFIX.length) };
}

/** Blanks, tabs, newlines and backslashes are written as three octal digits. */
function unescape(text: string): string {
  const toText = (_: string, octal: string) => String.fromCharCode(parseInt(octal, 8));
  return text.replaceAll(/\\([0-7]{3})/g, toText);
}
