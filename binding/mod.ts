/**
 * Which backup a diff belongs to, and who has it now.
 *
 * @module
 */

export {
  type Binding,
  BINDING_VERSION,
  type ChainIdentity,
  checkBinding,
  type WalPlace,
} from "./binding.ts";
export { DiffDirectory, readBinding } from "./diff_directory.ts";
