/**
 * The FUSE mounts of this machine, from the kernel's own list.
 *
 * @module
 */

/** One line of `/proc/self/mountinfo`. */
export interface Mount {
  readonly mountDir: string;
  /** `fuse.pbkfs`, `ext4` and the like. */
  readonly fileSystem: string;
}

/** All FUSE mounts, or those under `dirPath`. The mounts themselves are not touched. */
export function fuseMounts(dirPath = "/"): Mount[] {
  const prefix = dirPath.replace(/\/+$/, "") + "/";
  return Deno.readTextFileSync("/proc/self/mountinfo").split("\n").flatMap((line) => {
    // 36 35 98:0 /root /mount/dir rw,noatime shared:1 - fuse.pbkfs source rw,user_id=0
    const [left = "", right = ""] = line.split(" - ");
    const mountDir = unescape(left.split(" ")[4] ?? "");
    const fileSystem = right.split(" ")[0] ?? "";
    const isFuse = fileSystem === "fuse" || fileSystem.startsWith("fuse.");
    return isFuse && `${mountDir}/`.startsWith(prefix) ? [{ mountDir, fileSystem }] : [];
  });
}

/** Whether a FUSE file system is mounted right at `mountDir`, a resolved path. */
export function isMounted(mountDir: string): boolean {
  return fuseMounts().some((mount) => mount.mountDir === mountDir);
}

/** Detaches what is still mounted under `dirPath`, so that nothing can hang on it. */
export function detachMounts(dirPath: string): Mount[] {
  const found = fuseMounts(dirPath);
  for (const { mountDir } of found.toReversed()) {
    const umount = ["umount", "-i", "-l"];
    // Where one of them cannot, the other one may. What stays mounted is found by who asks next.
    const commands = Deno.uid() === 0 ? [umount] : [["fusermount3", "-u", "-z"], umount];
    commands.some(([program = "", ...args]) =>
      new Deno.Command(program, { args: [...args, mountDir] }).outputSync().success
    );
  }
  return found;
}

/** mountinfo writes blanks and backslashes in octal. */
function unescape(path: string): string {
  return path.replaceAll(/\\(\d{3})/g, (_, octal) => String.fromCharCode(parseInt(octal, 8)));
}
