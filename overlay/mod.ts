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
} from "./committer.ts";
export { COUNTER_NAMES, type CounterName, OverlayCounters, sumOf } from "./counters.ts";
export {
  checkDataFiles,
  type DataCheck,
  describeWrong,
  measure,
  unnamed,
  type WrongFile,
} from "./data_check.ts";
export { PAGE_SIZE_BYTES } from "./file_content.ts";
export { readGeneration } from "./generation_record.ts";
export { type InspectedStore, inspectStore } from "./inspect_store.ts";
export { timestamp } from "./inode.ts";
export type { TreeOwner } from "./inode_table.ts";
export { type ContentRecord, type DataId } from "./metadata_store.ts";
export { MemoryStore } from "./memory_store.ts";
export type { MetadataBatch, MetadataState, MetadataStore } from "./metadata_store.ts";
export { promised, type PromptStore } from "./metadata_store.ts";
export { buffersOfState, type PackedState, StoredState } from "./stored_state.ts";
export { openContext } from "./open_context.ts";
export { dataFileName } from "./data_files.ts";
export { PathsOf } from "./paths_of.ts";
export { Overlay, type OverlayOptions } from "./overlay.ts";
export { ReadEngine, type ReadEngineOptions } from "./read_engine.ts";
export {
  type CodecsToLoad,
  newReadThread,
  type ReadThread,
  readWorkerCount,
  type ReadWorkers,
  startReadWorkers,
} from "./read_pool.ts";
export { Reserve } from "./reserve.ts";
export type { RoomOptions, VitalFiles } from "./room.ts";
export { SPACE_STATES, type SpaceChange, type SpaceLimits, type SpaceState } from "./space.ts";
export { SpareFiles } from "./spare_files.ts";
export { SCHEMA_VERSION, SqliteStore } from "./sqlite_store.ts";
export { salvage, type Salvaged } from "./salvage.ts";
export type { KeptStrays, Strays } from "./strays.ts";
export {
  type CommitChannel,
  type CommitThread,
  type CommitWorker,
  newCommitThread,
  startCommitWorker,
  WorkerCommitter,
} from "./worker_committer.ts";
export type { WorkerNews } from "./worker_news.ts";
