/**
 * Backups of each kind, only ever read: which there are, what a restore of one would write, where
 * every byte of it lies, and who keeps it as it is meanwhile.
 *
 * @module
 */

export { type ArgumentKind, checkArguments } from "./tree/check_arguments.ts";
export {
  type BaseEntry,
  type BaseNames,
  type BaseTree,
  BLOCK_SIZE_BYTES,
  type Codec,
  CODECS,
  type EntryIndex,
  type Piece,
  RECORD_BYTES_MAX,
  type StoreOrigin,
} from "./tree/base_tree.ts";
export {
  type BackupInfo,
  type BackupMode,
  type ChainSpec,
  destOf,
  type InstanceSettings,
} from "./pg_probackup/catalog/chain_spec.ts";
export {
  type CatalogListing,
  type CatalogOptions,
  type ChainOptions,
  listBackups,
  type ListedBackup,
  type ListedInstance,
  resolveChain,
} from "./pg_probackup/catalog/resolve_chain.ts";
export type { Base, OpenOptions, StoredWal, TreeLayout } from "./tree/base.ts";
export { openChain, type OpenChainOptions } from "./pg_probackup/pages/open_chain.ts";
export type { ChainTree } from "./pg_probackup/pages/chain_tree.ts";
export { ownerOf } from "./pg_probackup/catalog/open_instance.ts";
export { buffersOf, FileLists, type FileListsData } from "./pg_probackup/lists/file_lists.ts";
export { readFileLists } from "./pg_probackup/lists/read_lists.ts";
export { PlainFiles } from "./pg_probackup/lists/plain_files.ts";
export {
  type Codecs,
  type CodecsOptions,
  type DecodeRequest,
  decodingMicros,
  loadCodecs,
} from "./tree/codecs.ts";
export { newStoreCounters, type StoreCounters } from "./tree/store_counters.ts";
export { heldMissing, PieceReader, type PieceReaderParts, sizeOf } from "./tree/piece_reader.ts";
export { readFile } from "./tree/read_file.ts";
export { StoreAlarm } from "./tree/store_alarm.ts";
export { formatLsn, type Lsn, parseLsn } from "./tree/lsn.ts";
export { crc32c } from "./tree/crc32c.ts";
export { backupIdOf, DIRECTORY, PG_PROBACKUP, placeNameOf, sourceOf } from "./sources.ts";
export type {
  BackupIdentity,
  BackupRef,
  BackupSource,
  FirstLook,
  Hold,
  HoldOptions,
  Learnt,
} from "./tree/source.ts";
export { planWal } from "./pg_probackup/wal/wal_archive.ts";
export type { WalFile, WalPlan } from "./tree/wal_file.ts";
export { copyWal, type WalOwner } from "./tree/wal_copy.ts";
export {
  type ProgramEnd,
  type ProgramLimits,
  runBounded,
} from "./pg_probackup/catalog/bounded_program.ts";
export {
  cannotRun,
  PROBACKUP_TIMEOUT_MS,
  type ProbackupOptions,
} from "./pg_probackup/catalog/probackup_show.ts";
export { changeOfChain } from "./pg_probackup/catalog/chain_change.ts";
export { externalDirectories } from "./pg_probackup/lists/tablespace_map.ts";
