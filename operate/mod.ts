/**
 * The commands, as functions with plain data in and out. Nothing here knows a terminal.
 *
 * @module
 */

// What goes with it, of other folders.
export { backupIdOf, placeNameOf, type ProbackupOptions } from "../backup/mod.ts";
export { DIFF_NAMES, pathsIn } from "../binding/mod.ts";
export {
  actForOwnerOfDiff,
  describeHolders,
  type MountHolder,
  type MountRequest,
  type MountUser,
  type PbkfsMount,
  type StartedMount,
  VERSION,
} from "../daemon/mod.ts";
export { forUs } from "../postgres/mod.ts";

export { pauseTasks, resumeTasks } from "./background_tasks.ts";
export { mountStatus } from "./ask_status.ts";
export { cleanup, type CleanupPlan, planCleanup } from "./cleanup.ts";
export { examine } from "./doctor.ts";
export type { MountPlace } from "./find_mount.ts";
export type { Finding } from "./finding.ts";
export type { MountReport, MountState } from "./list_mounts.ts";
export { mountReports } from "./mount_reports.ts";
export { mount, mountHere, type MountOptions } from "./mount.ts";
export { type ServerAdvice, serverAdvice } from "./server_advice.ts";
export {
  showBackups,
  type ShowDocument,
  type ShownBackup,
  type ShownInstance,
  type ShowOptions,
} from "./show.ts";
export { sizeText } from "./size_text.ts";
export { logLines, type TailOptions } from "./tail_log.ts";
export { unmount, type Unmounted, type UnmountOptions } from "./unmount.ts";
export { verifyDiff } from "./verify.ts";
export type { VerifyFinding } from "./verify_report.ts";
