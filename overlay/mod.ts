/**
 * The file system that pbkfs serves: a chain below, a diff on top.
 *
 * @module
 */

export {
  type CommitContext,
  type CommitJob,
  type CommitOutcome,
  type Committer,
  type FileToSync,
  InlineCommitter,
  makeContext,
} from "./commit/committer.ts";
export { COUNTER_NAMES, type CounterName, OverlayCounters, sumOf } from "./shared/counters.ts";
export {
  checkDataFiles,
  type DataCheck,
  describeWrong,
  measure,
  unnamed,
  type WrongFile,
} from "./check/data_check.ts";
export { PAGE_SIZE_BYTES } from "./content/file_content.ts";
export { readGeneration } from "./store/generation_record.ts";
export { type InspectedStore, inspectStore } from "./check/inspect_store.ts";
export { timestamp } from "./names/inode.ts";
export type { TreeOwner } from "./names/inode_table.ts";
export { type ContentRecord, type DataId } from "./store/metadata_store.ts";
export { MemoryStore } from "./store/memory_store.ts";
export type { MetadataBatch, MetadataState, MetadataStore } from "./store/metadata_store.ts";
export { promised, type PromptStore } from "./store/metadata_store.ts";
export { buffersOfState, type PackedState, StoredState } from "./store/stored_state.ts";
export { openContext } from "./commit/open_context.ts";
export { dataFileName } from "./data/data_files.ts";
export { PathsOf } from "./names/paths_of.ts";
export { Overlay, type OverlayOptions } from "./overlay.ts";
export { ReadEngine, type ReadEngineOptions } from "./read/read_engine.ts";
export {
  type CodecsToLoad,
  newReadThread,
  type ReadThread,
  readWorkerCount,
  type ReadWorkers,
  startReadWorkers,
} from "./read/read_pool.ts";
export { Reserve } from "./data/reserve.ts";
export type { RoomOptions, VitalFiles } from "./space/room.ts";
export {
  SPACE_STATES,
  type SpaceChange,
  type SpaceLimits,
  type SpaceState,
} from "./space/space.ts";
export { SpareFiles } from "./data/spare_files.ts";
export { SCHEMA_VERSION, SqliteStore } from "./store/sqlite_store.ts";
export { salvage, type Salvaged } from "./check/salvage.ts";
export type { KeptStrays, Strays } from "./store/strays.ts";
export {
  type CommitChannel,
  type CommitThread,
  type CommitWorker,
  newCommitThread,
  startCommitWorker,
  WorkerCommitter,
} from "./commit/worker_committer.ts";
export type { WorkerNews } from "./shared/worker_news.ts";
