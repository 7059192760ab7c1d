/**
 * Mounts and their processes: makes a mount, asks it, ends it.
 *
 * @module
 */

export { actForOwnerOfDiff } from "./act_for_owner.ts";
export { mountStatus } from "./ask_status.ts";
export { cleanup, type CleanupPlan, planCleanup } from "./cleanup.ts";
export type { ServedMount } from "./daemon.ts";
export { type DetachedMount, listDetached } from "./detached.ts";
export { examine } from "./doctor.ts";
export { checkFuse, environment } from "./environment.ts";
export { findMount, findServed, type MountPlace, mountsOfDiff } from "./find_mount.ts";
export type { Finding } from "./finding.ts";
export { describeHolders, type MountHolder } from "./holders.ts";
export {
  listPbkfsMounts,
  type MountReport,
  type MountState,
  reportDetached,
  reportMounts,
} from "./list_mounts.ts";
export { mount, mountHere, type MountOptions } from "./mount.ts";
export { findPbkfsMount, listMounts, type MountEntry, type PbkfsMount } from "./mount_table.ts";
export type { MountRequest } from "./protocol.ts";
export { runDaemon } from "./run_daemon.ts";
export { type ServerAdvice, serverAdvice } from "./server_advice.ts";
export { sizeText } from "./size_text.ts";
export { DAEMON_COMMAND, type StartedMount } from "./start.ts";
export { findLog, tailLog } from "./tail_log.ts";
export { unmount, type Unmounted, type UnmountOptions } from "./unmount.ts";
export type { MountUser } from "./users_of.ts";
export { verifyDiff } from "./verify.ts";
export type { VerifyFinding, VerifyReport } from "./verify_report.ts";
export { VERSION } from "./version.ts";
