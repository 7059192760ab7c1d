/**
 * The dirty limit of a mount: how many written bytes the kernel gathers before it makes writers
 * wait.
 *
 * A FUSE mount may have one per cent of what all file systems together may have, unless somebody
 * sets another part of it (`max_ratio`). Source: fuse_bdi_init(), balance_dirty_pages() of Linux;
 * Documentation/ABI/testing/sysfs-class-bdi.
 *
 * @module
 */

import { asRoot } from "../ffi/credentials.ts";
import { findMount } from "./mount_table.ts";

const BDI_DIR = "/sys/class/bdi";
/** Parts of a million; since Linux 6.2. */
const RATIO_NAME = "max_ratio_fine";
const DEFAULT_RATIO = 10_000;

/** The most that the kernel gathers of a FUSE mount, in bytes, whatever else memory is used for. */
export function dirtyLimitBytes(): number {
  return Math.ceil(allDirtyBytes() * DEFAULT_RATIO / 1e6);
}

/** Whether {@link lowerDirtyLimit} will do something: root may, if `/sys` can be written to. */
export function canLowerDirtyLimit(): boolean {
  try {
    const [any] = Deno.readDirSync(BDI_DIR);
    asRoot(() => Deno.openSync(`${BDI_DIR}/${any?.name}/${RATIO_NAME}`, { write: true })).close();
    return true;
  } catch {
    return false;
  }
}

/** @throws if it cannot be set. */
export function lowerDirtyLimit(mountPath: string, limitBytes: number): void {
  const mount = findMount(mountPath);
  if (mount === undefined) throw new Error(`"${mountPath}" is not in the list of mounts`);
  const ratio = Math.max(1, Math.floor(limitBytes / allDirtyBytes() * 1e6));
  const path = `${BDI_DIR}/${mount.device}/${RATIO_NAME}`;
  const text = `${Math.min(ratio, DEFAULT_RATIO)}`;
  asRoot(() => Deno.writeTextFileSync(path, text, { create: false }));
}

/** What all file systems together may have, at most. */
function allDirtyBytes(): number {
  const setting = (name: string) => Number(Deno.readTextFileSync(`/proc/sys/vm/${name}`));
  const bytes = setting("dirty_bytes");
  if (bytes > 0) return bytes;
  const found = /^MemTotal:\s+(\d+) kB$/m.exec(Deno.readTextFileSync("/proc/meminfo"));
  return Number(found?.[1]) * 1024 * setting("dirty_ratio") / 100;
}
