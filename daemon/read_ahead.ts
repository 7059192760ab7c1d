/**
 * The read-ahead of a mount: how far ahead the kernel reads it.
 *
 * @module
 */

import { asRoot } from "../ffi/credentials.ts";
import { findMount } from "./mount_table.ts";

/** Several requests of the largest size at a time, so that several threads have something to do. */
const READ_AHEAD_KIB = 4096;

/**
 * Lets the kernel read further ahead than its default of 128 KiB. It needs the privilege to write
 * below `/sys`; where that is missing, as for ordinary users and in containers, all works as well,
 * and a sequential read is slower.
 */
export async function raiseReadAhead(mountPath: string): Promise<void> {
  try {
    // Until the mount has answered, the kernel may still set its default.
    await Deno.stat(mountPath);
    const mount = findMount(mountPath);
    if (mount === undefined) return;
    const path = `/sys/class/bdi/${mount.device}/read_ahead_kb`;
    if (Number(Deno.readTextFileSync(path)) >= READ_AHEAD_KIB) return;
    asRoot(() => Deno.writeTextFileSync(path, `${READ_AHEAD_KIB}`, { create: false }));
  } catch {
    // It is an offer of the kernel's, and its default serves.
  }
}
