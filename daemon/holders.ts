/**
 * The processes that keep a mount which its own namespace does not show any more: those of other
 * mount namespaces, which have copies of it, and those with open files in it.
 *
 * Paths tell nothing here, since each namespace has its own. What is compared is the device, which
 * no two file systems of a machine share. Nothing here waits for the mount: the kernel's lists are
 * read, and it is asked on which device a file is without asking the file's file system.
 *
 * @module
 * @see proc_pid_mountinfo(5); statx(2), AT_STATX_DONT_SYNC
 */

import { byteStringOf } from "../ffi/bytes.ts";
import { asRoot } from "../ffi/credentials.ts";
import { type Libc, systemLibc } from "../ffi/libc.ts";
import { listMounts, type MountEntry } from "./mount_table.ts";
import { commandOf, listOf, type MountUser, processesOf } from "./users_of.ts";

/** A process that keeps a mount. */
export interface MountHolder extends MountUser {
  /** The number of its mount namespace, as `lsns` shows it, if we may know it. */
  readonly namespace?: number;
  /** Where the mount is in that namespace; missing if only files of it are open. */
  readonly mountPath?: string;
}

/**
 * Processes that keep a mount, as far as we may see them: not those of other pid namespaces, and not
 * namespaces without processes.
 *
 * @param device Such as `0:45`.
 */
export function holdersOf(device: string, procPath = "/proc"): MountHolder[] {
  return asRoot(() => findHolders(device, procPath));
}

function findHolders(device: string, procPath: string): MountHolder[] {
  const libc = systemLibc();
  const own = namespaceOf(`${procPath}/self`);
  const isHere = copyIn(`${procPath}/self`, device) !== undefined;
  // All processes of a namespace see the same, but for those in a root directory of their own.
  const copies = new Map<number, string>();
  return processesOf(procPath).flatMap((pid): MountHolder[] => {
    const process = `${procPath}/${pid}`;
    const namespace = namespaceOf(process);
    // Who has it in the namespace that unmounts does not keep it; nor may it be a process of ours.
    const isElsewhere = namespace === undefined ? !isHere : namespace !== own;
    const known = namespace === undefined ? undefined : copies.get(namespace);
    const mountPath = isElsewhere ? known ?? copyIn(process, device) : undefined;
    if (mountPath !== undefined && namespace !== undefined) copies.set(namespace, mountPath);
    if (mountPath === undefined && !hasOpen(process, device, libc)) return [];
    return [{
      ...{ pid, command: commandOf(process) },
      ...(namespace !== undefined && { namespace }),
      ...(mountPath !== undefined && { mountPath }),
    }];
  });
}

const NAMED_MAX = 5;

/** For messages: such as `sleep (812) in mount namespace 4026532261`. */
export function describeHolders(holders: readonly MountHolder[]): string {
  if (holders.length === 0) {
    return "somebody who is not to be seen from here: a container perhaps, or another user";
  }
  const names = holders.slice(0, NAMED_MAX).map(({ pid, command, namespace, mountPath }) =>
    mountPath === undefined
      ? `${command} (${pid})`
      : `${command} (${pid}) in mount namespace ${namespace ?? "unknown"}`
  );
  const more = holders.length - names.length;
  return `${names.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

/** Paths by which one reaches a mount: where it is here, in copies elsewhere, and open files. */
export function waysInto(device: string, procPath = "/proc"): string[] {
  const libc = systemLibc();
  const shown = (process: string) => visibleMounts(listMounts(mountsTextOf(process)), device);
  return [
    ...shown(`${procPath}/self`),
    ...holdersOf(device, procPath).flatMap(({ pid, mountPath }) => {
      const process = `${procPath}/${pid}`;
      if (mountPath === undefined) return openOf(process, device, libc);
      return shown(process).map((path) => `${process}/root${path}`);
    }),
  ];
}

/** Where a device is mounted, and not hidden by what was mounted later. */
function visibleMounts(mounts: readonly MountEntry[], device: string): string[] {
  return mounts.flatMap(({ mountPath, device: found }, index) => {
    const hides = (later: MountEntry) =>
      `${mountPath}/`.startsWith(`${later.mountPath.replace(/\/$/, "")}/`);
    return found === device && !mounts.slice(index + 1).some(hides) ? [mountPath] : [];
  });
}

function namespaceOf(process: string): number | undefined {
  try {
    // mnt:[4026531832]
    return Number(/\d+/.exec(Deno.readLinkSync(`${process}/ns/mnt`))?.[0]);
  } catch {
    return undefined;
  }
}

function copyIn(process: string, device: string): string | undefined {
  const text = mountsTextOf(process);
  if (!text.includes(` ${device} `)) return undefined;
  return listMounts(text).find((mount) => mount.device === device)?.mountPath;
}

function mountsTextOf(process: string): string {
  try {
    return Deno.readTextFileSync(`${process}/mountinfo`);
  } catch {
    // It has ended.
    return "";
  }
}

function hasOpen(process: string, device: string, libc: Libc): boolean {
  return openOf(process, device, libc).length > 0;
}

function openOf(process: string, device: string, libc: Libc): string[] {
  const names = ["cwd", "root", "exe", ...listOf(`${process}/fd`).map((fd) => `fd/${fd}`)];
  return names.map((name) => `${process}/${name}`).filter((path) => {
    try {
      return libc.deviceOf(byteStringOf(path)) === device;
    } catch {
      // It has ended, or is not ours to look at.
      return false;
    }
  });
}
