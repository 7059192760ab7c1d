/**
 * The process behind a mount: how it is started, reached, and known to be there.
 *
 * @module
 */

export { actForOwnerOf, actForOwnerOfDiff, userOf } from "./act_for_owner.ts";
export { checkRequest } from "./bind.ts";
export { ask } from "./control_socket.ts";
export { type ServedMount, serveMount } from "./daemon.ts";
export { isListed } from "./dead_mount.ts";
export { checkDescriptors } from "./descriptor_budget.ts";
export { detach } from "./detach.ts";
export { type DetachedMount, detachedMount, listDetached } from "./detached.ts";
export {
  checkDiffPlace,
  checkFuse,
  checkFuseDevice,
  checkMountDir,
  checkMountOutside,
  type Environment,
  environment,
} from "./environment.ts";
export { fastPathsWanted } from "./fast_paths.ts";
export { endGuardian, guardianOf } from "./guardian.ts";
export { describeHolders, holdersOf, type MountHolder } from "./holders.ts";
export { inTime } from "./in_time.ts";
export { makeMountDirectory, removeMade, unmakeMountDirectory } from "./made_directory.ts";
export {
  findMount,
  findPbkfsMount,
  listMounts,
  type MountEntry,
  type PbkfsMount,
  SOURCE_PREFIX,
} from "./mount_table.ts";
export { SIZE_BYTES_MAX } from "./overlay_files.ts";
export type { ControlAnswer, ControlRequest, MountRequest } from "./protocol.ts";
export { interruptible, runDaemon, untilEnd } from "./run_daemon.ts";
export { DAEMON_COMMAND, startDaemon, type StartedMount } from "./start.ts";
export { loadThreads } from "./threads.ts";
export { type MountUser, namingUsers, usersOf } from "./users_of.ts";
export { VERSION } from "./version.ts";
