/**
 * Mounts and their processes: makes a mount, asks it, ends it.
 *
 * @module
 */

export { type ServedMount, VERSION } from "./daemon.ts";
export { checkFuse, environment } from "./environment.ts";
export { mount, mountHere, type MountOptions } from "./mount.ts";
export { findPbkfsMount, listMounts, type MountEntry, type PbkfsMount } from "./mount_table.ts";
export type { MountStatus } from "./protocol.ts";
export { runDaemon, untilEnd } from "./run_daemon.ts";
export { DAEMON_COMMAND, type StartedMount } from "./start.ts";
export { mountStatus, unmount } from "./unmount.ts";
