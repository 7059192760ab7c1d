/**
 * A diff on disk: what lies in it, which backup it belongs to, and who has it now.
 *
 * @module
 */

export {
  type Binding,
  BINDING_VERSION,
  type ChainIdentity,
  checkBinding,
  checkKind,
  checkNames,
  type WalPlace,
} from "./binding.ts";
export { DiffDirectory, readBinding } from "./diff_directory.ts";
export {
  BINDING_NAME,
  type DiffContents,
  type DiffPart,
  MOUNT_DIRECTORY_NAME,
  readContents,
  removeContents,
  removeRest,
  RESERVE_NAME,
} from "./diff_contents.ts";
export {
  afterDeath,
  DiffLock,
  isLocked,
  LOCK_NAME,
  type LockOptions,
  readOwner,
} from "./diff_lock.ts";
export { describeOwner, type Machine, type Owner } from "./owner.ts";
export { readPlainText } from "./plain_text.ts";
export { isAlive } from "../ffi/process.ts";
