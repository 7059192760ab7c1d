/**
 * Changes that are not durable yet, and the jobs that make them so.
 *
 * @module
 */

import { PbkfsError } from "../errors.ts";
import type { ByteString } from "../ffi/bytes.ts";
import type { Fd, Libc } from "../ffi/libc.ts";
import type { Ino, Request, SyncReply } from "../fuse/mod.ts";
import type { CommitJob, Committer } from "./committer.ts";
import type { DataFiles } from "./data_files.ts";
import type { FileContent } from "./file_content.ts";
import type { Inode } from "./inode.ts";
import { type InodeTable, refusal } from "./inode_table.ts";
import type { DataId, MetadataBatch, NameRecord, PageMapRecord } from "./metadata_store.ts";

/** Changes that nobody syncs are committed after this time. */
const COMMIT_AFTER_MS = 5000;
/** Files synced by one job. */
const FILES_A_JOB = 64;

/** What the journal works with. */
export interface JournalOptions {
  readonly table: InodeTable;
  readonly data: DataFiles;
  readonly libc: Libc;
  readonly committer: Committer;
  readonly counters: () => MetadataBatch["counters"];
}

/** What was taken for a job, to be put back if it fails. */
interface Ticket {
  readonly inodes: ReadonlySet<Ino>;
  readonly names: ReadonlyMap<string, NameKey>;
  readonly attributes: ReadonlyMap<string, NameKey>;
  readonly removed: ReadonlySet<Ino>;
  readonly created: readonly Inode[];
  readonly contents: readonly { readonly inode: Inode; readonly pages: readonly PageMapRecord[] }[];
  readonly synced: readonly FileContent[];
  readonly deletions: readonly DataId[];
}

interface NameKey {
  readonly ino: Ino;
  readonly name: ByteString;
}

/** Collects changes and commits them: when asked to, or after a while. */
export class Journal {
  readonly #options: JournalOptions;
  #inodes = new Set<Ino>();
  #names = new Map<string, NameKey>();
  #attributes = new Map<string, NameKey>();
  #removed = new Set<Ino>();
  /** Files made since; that they have a data file is part of their being there. */
  #created = new Set<Inode>();
  /** Times alone can wait: they do not hold up a sync of data. */
  readonly #times = new Set<Ino>();
  /** Files whose bytes must be synced before the store is told of them. */
  readonly #contents = new Set<Inode>();
  readonly #unsynced = new Set<Inode>();
  #deletions: DataId[] = [];
  readonly #tickets = new Map<number, Ticket>();
  #sequence = 0;
  #epoch = 1;
  /** When the oldest change was made, in milliseconds since the process began. */
  #since: number | undefined;

  constructor(options: JournalOptions) {
    this.#options = options;
  }

  inodeChanged(inode: Inode): void {
    this.#inodes.add(inode.ino);
    this.#touch();
  }

  timesChanged(inode: Inode): void {
    this.#times.add(inode.ino);
    this.#touch();
  }

  nameChanged(parent: Ino, name: ByteString): void {
    this.#names.set(`${parent}/${name}`, { ino: parent, name });
    this.#touch();
  }

  attributeChanged(ino: Ino, name: ByteString): void {
    this.#attributes.set(`${ino}/${name}`, { ino, name });
    this.#touch();
  }

  fileCreated(inode: Inode): void {
    this.#created.add(inode);
    this.inodeChanged(inode);
  }

  contentChanged(inode: Inode, content: FileContent): void {
    if (content.hasUnsyncedBytes) this.#unsynced.add(inode);
    const isReachable = inode.links > 0 && !this.#created.has(inode);
    if (!content.hasUncommittedChanges || !isReachable) return;
    this.#contents.add(inode);
    this.#touch();
  }

  /** The last name of the node is gone. */
  inodeRemoved(inode: Inode): void {
    this.#inodes.delete(inode.ino);
    this.#times.delete(inode.ino);
    this.#created.delete(inode);
    this.#contents.delete(inode);
    this.#removed.add(inode.ino);
    this.#touch();
  }

  /** Nobody can reach the node's bytes any more. */
  dataDropped(inode: Inode, id: DataId): void {
    this.#unsynced.delete(inode);
    this.#deletions.push(id);
    this.#touch();
  }

  /** Makes a file durable, and the names and attributes changed so far. */
  sync(inode: Inode, options: { request: Request | undefined; dataOnly: boolean }): SyncReply {
    const content = inode.body.kind === "file" ? inode.body.content : undefined;
    const errno = content?.failedSyncErrno ?? 0;
    if (errno !== 0) throw failedBefore(inode.ino, errno);
    if (!options.dataOnly && this.#times.delete(inode.ino)) this.#inodes.add(inode.ino);
    return this.#submit(options.request, content?.dataId === undefined ? [] : [inode]);
  }

  /** Makes names and attributes durable. */
  syncNames(request: Request | undefined): SyncReply {
    return this.#submit(request, []);
  }

  /**
   * Commits everything, without waiting.
   *
   * @param options.bytes Also syncs bytes that need no commit, as before an unmount.
   */
  commitAll(options: { readonly bytes: boolean } = { bytes: false }): void {
    for (const ino of this.#times) this.#inodes.add(ino);
    this.#times.clear();
    const files = [...(options.bytes ? this.#unsynced.union(this.#contents) : this.#contents)];
    do this.#submit(undefined, files.splice(0, FILES_A_JOB)); while (files.length > 0);
    this.#since = undefined;
  }

  /** Commits everything, and waits for it. @throws {PbkfsError} if something could not be. */
  flush(): void {
    this.settle();
    this.commitAll({ bytes: true });
    this.#options.committer.drain();
    const errno = this.settle();
    if (errno !== 0) throw failedBefore("all files", errno);
  }

  /** Learns how jobs ended. @returns 0, or the errno of one that failed. */
  settle(): number {
    const { committer } = this.#options;
    const first = this.#settleOutcomes();
    if (!first.hasStoreFailed) return first.errno;
    // Jobs that are under way were made before this was known, and fail as well, see runJobs().
    committer.drain();
    this.#settleOutcomes();
    this.#epoch++;
    return first.errno;
  }

  /** Milliseconds until {@link Journal.commitAll} is due; undefined if nothing waits. */
  dueMs(): number | undefined {
    if (this.#since === undefined) return undefined;
    return Math.max(0, this.#since + COMMIT_AFTER_MS - performance.now());
  }

  #touch(): void {
    this.#since ??= performance.now();
  }

  #submit(request: Request | undefined, files: readonly Inode[]): SyncReply {
    const { data, libc, committer } = this.#options;
    this.settle();
    const syncs: Fd[] = [];
    const synced: FileContent[] = [];
    for (const inode of files) {
      const content = contentOf(inode);
      if (!content.hasUnsyncedBytes || content.dataId === undefined) continue;
      // A duplicate, since the pool may close its descriptor before the job is done.
      syncs.push(libc.dup(data.fd(content.dataId)));
      synced.push(content);
      content.hasUnsyncedBytes = false;
      this.#unsynced.delete(inode);
    }
    const { batch, ticket } = this.#takeNames();
    const taken = this.#takeContents(files);
    const isNothing = syncs.length === 0 && batch === undefined && taken.batch === undefined &&
      ticket.deletions.length === 0;
    // What is under way already may be what the caller waits for.
    if (isNothing && this.#tickets.size === 0) return "done";
    const job: CommitJob = {
      sequence: ++this.#sequence,
      epoch: this.#epoch,
      request,
      syncs,
      syncDirectory: data.directoryChanged,
      names: batch,
      contents: taken.batch,
      deletions: ticket.deletions,
    };
    data.directoryChanged = false;
    this.#tickets.set(job.sequence, { ...ticket, contents: taken.contents, synced });
    committer.submit(job);
    return "handedOver";
  }

  #settleOutcomes(): { readonly errno: number; readonly hasStoreFailed: boolean } {
    let errno = 0;
    let hasStoreFailed = false;
    for (const outcome of this.#options.committer.outcomes()) {
      const ticket = this.#tickets.get(outcome.sequence) as Ticket;
      this.#tickets.delete(outcome.sequence);
      const failed = outcome.storeErrno || outcome.syncErrno;
      errno ||= failed;
      hasStoreFailed ||= outcome.storeErrno !== 0;
      if (outcome.storeErrno !== 0) this.#putBackNames(ticket);
      if (failed !== 0) this.#putBackContents(ticket, outcome.syncErrno);
      else for (const { inode } of ticket.contents) contentOf(inode).reclaim();
    }
    return { errno, hasStoreFailed };
  }

  #takeNames(): { batch: MetadataBatch | undefined; ticket: Omit<Ticket, "contents" | "synced"> } {
    const { table } = this.#options;
    const ticket = {
      inodes: this.#inodes,
      names: this.#names,
      attributes: this.#attributes,
      removed: this.#removed,
      created: [...this.#created],
      deletions: this.#deletions,
    };
    this.#inodes = new Set();
    this.#names = new Map();
    this.#attributes = new Map();
    this.#removed = new Set();
    this.#created = new Set();
    this.#deletions = [];
    const isEmpty = [ticket.inodes, ticket.names, ticket.attributes, ticket.removed]
      .every(({ size }) => size === 0) && ticket.created.length === 0;
    if (isEmpty) return { batch: undefined, ticket };
    const inodes = [...ticket.inodes].map((ino) => table.find(ino)).filter((i) => i !== undefined);
    const contents = ticket.created.map((i) => contentOf(i).takeRecords(i.ino)?.content);
    const batch: MetadataBatch = {
      inodes: inodes.map((inode) => inode.record()),
      names: [...ticket.names.values()].map((key) => this.#nameRecord(key)),
      contents: contents.filter((record) => record !== undefined),
      pages: [],
      extendedAttributes: [...ticket.attributes.values()].map(({ ino, name }) => ({
        ino,
        name,
        value: table.find(ino)?.extendedAttributes?.get(name),
      })),
      removed: [...ticket.removed],
      counters: this.#options.counters(),
    };
    return { batch, ticket };
  }

  #takeContents(files: readonly Inode[]): {
    batch: MetadataBatch | undefined;
    contents: Ticket["contents"];
  } {
    const records = [];
    const contents = [];
    for (const inode of files) {
      if (!this.#contents.delete(inode)) continue;
      const record = contentOf(inode).takeRecords(inode.ino);
      if (record === undefined) continue;
      records.push(record);
      contents.push({ inode, pages: record.pages });
    }
    if (records.length === 0) return { batch: undefined, contents };
    const batch: MetadataBatch = {
      inodes: [],
      names: [],
      contents: records.map(({ content }) => content),
      pages: records.flatMap(({ pages }) => pages),
      extendedAttributes: [],
      removed: [],
      counters: this.#options.counters(),
    };
    return { batch, contents };
  }

  #nameRecord({ ino, name }: NameKey): NameRecord {
    const { table } = this.#options;
    const body = table.find(ino)?.body;
    const to = body?.kind === "directory" ? body.directory.get(name) : undefined;
    const gone = table.isInBase(ino, name) ? "whiteout" : "none";
    return { parent: ino, name, to: to ?? gone };
  }

  #putBackNames(ticket: Ticket): void {
    const { table } = this.#options;
    for (const ino of ticket.inodes) if (table.find(ino)?.links) this.#inodes.add(ino);
    for (const [key, name] of ticket.names) this.#names.set(key, name);
    for (const [key, name] of ticket.attributes) this.#attributes.set(key, name);
    for (const ino of ticket.removed) this.#removed.add(ino);
    for (const inode of ticket.created) {
      if (inode.links > 0) this.#created.add(inode);
    }
    this.#deletions.push(...ticket.deletions);
    this.#touch();
  }

  #putBackContents(ticket: Ticket, syncErrno: number): void {
    for (const { inode, pages } of ticket.contents) {
      const content = contentOf(inode);
      content.commitFailed(pages);
      if (inode.links > 0) this.#contents.add(inode);
    }
    for (const content of ticket.synced) {
      if (syncErrno !== 0 && !content.hasUnsyncedBytes) content.failedSyncErrno = syncErrno;
    }
    this.#touch();
  }
}

function contentOf(inode: Inode): FileContent {
  if (inode.body.kind !== "file") throw refusal("EINVAL", `Inode ${inode.ino} is not a file`);
  return inode.body.content;
}

function failedBefore(what: Ino | string, errno: number): PbkfsError {
  return new PbkfsError("Io", { what: `A sync of ${what} has failed before`, errno });
}
