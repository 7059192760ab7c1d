/**
 * Opens the directory in which the backups of a chain lie.
 *
 * @module
 */

import { type ChainSpec, destOf } from "./chain_spec.ts";
import {
  type FileOwner,
  StoreDirectory,
  type StoreDirectoryOptions,
} from "../../tree/store_directory.ts";
import { catalogUnreadable } from "../../tree/store_error.ts";

/**
 * Opens it. Files are read for the owner of the backup asked for: its tree will be theirs.
 *
 * @throws {PbkfsError} `CatalogUnreadable` or `PermissionDenied`.
 */
export function openInstance(spec: ChainSpec, options: StoreDirectoryOptions = {}): StoreDirectory {
  const { dirPath } = destOf(spec);
  const path = dirPath.slice(0, dirPath.lastIndexOf("/"));
  try {
    return StoreDirectory.open(path, { reader: ownerOf(spec), ...options });
  } catch (error) {
    throw catalogUnreadable(path, error);
  }
}

/**
 * Who owns a backup.
 *
 * @throws {PbkfsError} `CatalogUnreadable` or `PermissionDenied`.
 */
export function ownerOf(spec: ChainSpec): FileOwner {
  const { dirPath } = destOf(spec);
  try {
    using directory = StoreDirectory.open(dirPath);
    const { uid, gid } = directory.owner;
    return { uid, gid };
  } catch (error) {
    throw catalogUnreadable(dirPath, error);
  }
}
