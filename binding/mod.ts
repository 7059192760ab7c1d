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
  type DiffContents,
  type DiffPart,
  readContents,
  removeContents,
  removeRest,
} from "./diff_contents.ts";
export { afterDeath, DiffLock, isLocked, type LockOptions, readOwner } from "./diff_lock.ts";
export { besideStore, DIFF_NAMES, type DiffPaths, isOfFsck, pathsIn } from "./layout.ts";
export { describeOwner, type Machine, type Owner } from "./owner.ts";
export { readPlainText } from "./plain_text.ts";
export { isAlive } from "../ffi/process.ts";
