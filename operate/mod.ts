/**
 * What commands do, as functions with plain data in and out. Nothing here knows a terminal.
 *
 * @module
 */

export { mountStatus } from "./ask_status.ts";
export { cleanup, type CleanupPlan, planCleanup } from "./cleanup.ts";
export { examine } from "./doctor.ts";
export { findServed, type MountPlace } from "./find_mount.ts";
export type { Finding } from "./finding.ts";
export { listPbkfsMounts, type MountReport, reportDetached, reportMounts } from "./list_mounts.ts";
export { mount, mountHere, type MountOptions } from "./mount.ts";
export { type ServerAdvice, serverAdvice } from "./server_advice.ts";
export { showDocument, type ShownBackup, type ShownInstance } from "./show.ts";
export { sizeText } from "./size_text.ts";
export { findLog, tailLog } from "./tail_log.ts";
export { unmount, type Unmounted, type UnmountOptions } from "./unmount.ts";
export { verifyDiff } from "./verify.ts";
export type { VerifyFinding } from "./verify_report.ts";
