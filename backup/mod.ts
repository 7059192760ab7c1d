/**
 * A pg_probackup store, only ever read: which backups there are, what a restore of one would
 * write, and where every byte of it lies.
 *
 * @module
 */

export { type ArgumentKind, checkArguments } from "./check_arguments.ts";
export {
  type BaseEntry,
  type BaseNames,
  type BaseTree,
  BLOCK_SIZE_BYTES,
  type Codec,
  type EntryIndex,
  type Piece,
  type StoreOrigin,
} from "./base_tree.ts";
export {
  type BackupInfo,
  type BackupMode,
  type ChainSpec,
  destOf,
  type InstanceSettings,
} from "./chain_spec.ts";
export {
  type CatalogListing,
  type CatalogOptions,
  type ChainOptions,
  listBackups,
  type ListedBackup,
  type ListedInstance,
  resolveChain,
} from "./resolve_chain.ts";
export {
  type Base,
  openChain,
  type OpenOptions,
  type StoredWal,
  type TreeLayout,
} from "./open_chain.ts";
export { catalogUser } from "./catalog_user.ts";
export { ownerOf } from "./open_instance.ts";
export { buffersOf, FileLists, type FileListsData } from "./file_lists.ts";
export { readFileLists } from "./read_lists.ts";
export { PlainFiles } from "./plain_files.ts";
export { type Codecs, type CodecsOptions, type DecodeRequest, loadCodecs } from "./codecs.ts";
export { type Counters, newCounters } from "./counters.ts";
export { heldMissing, PieceReader, type PieceReaderParts, sizeOf } from "./piece_reader.ts";
export { readFile, readRange } from "./read_file.ts";
export { StoreAlarm } from "./store_alarm.ts";
export { formatLsn, type Lsn, parseLsn } from "./lsn.ts";
export { crc32c } from "./crc32c.ts";
export { planWal } from "./wal_archive.ts";
export type { WalFile, WalPlan } from "./wal_file.ts";
export { copyWal, type WalOwner } from "./wal_copy.ts";
export { type ProgramEnd, type ProgramLimits, runBounded } from "./bounded_program.ts";
export { cannotRun, PROBACKUP_TIMEOUT_MS, type ProbackupOptions } from "./probackup_show.ts";
export { changeOfChain } from "./chain_change.ts";
export { externalDirectories } from "./tablespace_map.ts";
