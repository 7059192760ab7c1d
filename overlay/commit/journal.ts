/**
 * Changes that are not durable yet, and the jobs that make them so.
 *
 * @module
 */

import { ERRNO, errnoName, errnoOf, PbkfsError } from "../../errors.ts";
import type { ByteString } from "../../ffi/bytes.ts";
import type { Fd, Libc } from "../../ffi/libc.ts";
import type { Ino, Request, SyncReply } from "../../fuse/mod.ts";
import type { FileContent } from "../content/file_content.ts";
import type { DataFiles } from "../data/data_files.ts";
import { contentOf, type Inode } from "../names/inode.ts";
import type { InodeTable } from "../names/inode_table.ts";
import { type NamesTicket, PendingNames } from "../names/pending_names.ts";
import type {
  ContentRecord,
  DataId,
  MetadataBatch,
  NextNumbers,
  PageMapRecord,
} from "../store/metadata_store.ts";
import type { CommitJob, CommitOutcome, Committer, FileToSync } from "./committer.ts";
import type { FailedJob, SyncFailures } from "./sync_failures.ts";

/** Changes that nobody syncs are committed after this time. */
const COMMIT_AFTER_MS = 5000;
/** If somebody else is to say when, and has not by then, they are committed all the same. */
const COMMIT_OVERDUE_MS = 10_000;
/**
 * Of so many names at a time the store is told sooner: to hand them over takes a microsecond or two
 * each, and nobody is served meanwhile.
 */
const NAMES_A_COMMIT = 1000;
/** But not at once, so that a store that fails is not asked again and again. */
const COMMIT_NAMES_AFTER_MS = 100;
/** How long the outcome of a job may go unnoticed while nobody asks for anything. */
const SETTLE_AFTER_MS = 1000;
/** Files synced by one job: at most as many as an outcome has bits to tell which failed. */
const FILES_A_JOB = 30;
/** From so many on, a flush syncs the file system once instead of each file: that waits for the disk. */
const FILES_SYNCED_TOGETHER = 1000;
/** Records of which a batch of lengths tells. */
const RECORDS_A_BATCH = 1000;
/** Jobs that one commit of everything has under way: each holds descriptors. */
const JOBS_AT_ONCE = 10;

/** What the journal works with. */
export interface JournalOptions {
  readonly table: InodeTable;
  readonly data: DataFiles;
  readonly libc: Libc;
  readonly committer: Committer;
  readonly nextNumbers: () => NextNumbers;
  readonly failures: SyncFailures;
  /** Milliseconds of a clock that only moves forward; that of the process if missing. */
  readonly clock?: () => number;
  /**
   * Told, once, that changes are to be committed, for who then calls {@link Journal.commitAll} at a
   * good moment. Without it, they are committed at once.
   */
  readonly onDue?: (() => void) | undefined;
}

/** What was taken for a job, to be put back if it fails. */
interface Ticket extends NamesTicket {
  readonly contents: readonly { readonly inode: Inode; readonly pages: readonly PageMapRecord[] }[];
  /** The files of the job, in its order. */
  readonly files: readonly Inode[];
  readonly syncDirectory: boolean;
  /** Who waits for it. */
  readonly pid: number | undefined;
  /** The last job whose outcome was known when this one was made. */
  readonly settled: number;
}

/** A batch that tells nothing. */
const NOTHING = {
  ...{ inodes: [], names: [], contents: [], pages: [], extendedAttributes: [], removed: [] },
};
const NO_TICKET: Ticket = {
  ...{ inodes: new Set(), names: new Map(), attributes: new Map(), removed: new Set() },
  ...{ created: [], deletions: [], contents: [], files: [] },
  ...{ syncDirectory: false, settled: 0, pid: undefined },
};

/** A sync that is asked for. */
export interface SyncOptions {
  readonly request: Request | undefined;
  readonly dataOnly: boolean;
  /** Who asks; 0 if that is not known. */
  readonly pid: number;
}

/** Collects changes and commits them: when asked to, or after a while. */
export class Journal {
  readonly #options: JournalOptions;
  readonly #clock: () => number;
  readonly #names: PendingNames;
  /** Times alone can wait: they do not hold up a sync of data. */
  readonly #times = new Set<Ino>();
  /** Files whose bytes must be synced before the store is told of them. */
  readonly #contents = new Set<Inode>();
  /** Files with bytes that are not synced. */
  readonly #unsynced = new Set<Inode>();
  readonly #tickets = new Map<number, Ticket>();
  #sequence = 0;
  /** The last job whose outcome is known. */
  #settled = 0;
  #epoch = 1;
  /** Whether files that this mount has found may have bytes that are not synced. */
  #inheritedIsUnsynced = true;
  /** Failed syncs that are known of. */
  #failuresSeen = 0;
  /** When the oldest change was made. */
  #since: number | undefined;
  /** Whether somebody was told that changes are to be committed. */
  #isTold = false;
  /** Errno with which the store failed the last time; 0 if it did not. */
  #storeErrno = 0;
  /** When names were committed last because they were many. */
  #namesCommitted = -Infinity;

  constructor(options: JournalOptions) {
    this.#options = options;
    this.#clock = options.clock ?? (() => performance.now());
    this.#names = new PendingNames(options.table);
  }

  inodeChanged(inode: Inode): void {
    this.#names.inodeChanged(inode.ino);
    this.#touch();
  }

  timesChanged(inode: Inode): void {
    this.#times.add(inode.ino);
    this.#touch();
  }

  nameChanged(parent: Ino, name: ByteString): void {
    this.#names.nameChanged(parent, name);
    this.#touch();
  }

  attributeChanged(ino: Ino, name: ByteString): void {
    this.#names.attributeChanged(ino, name);
    this.#touch();
  }

  fileCreated(inode: Inode): void {
    this.#names.fileCreated(inode);
    this.inodeChanged(inode);
  }

  contentChanged(inode: Inode, content: FileContent): void {
    if (content.hasUnsyncedBytes) this.#unsynced.add(inode);
    const isReachable = inode.links > 0 && !this.#names.isCreated(inode);
    if (!content.hasUncommittedChanges || !isReachable) return;
    this.#contents.add(inode);
    this.#touch();
  }

  /** The last name of the node is gone. */
  inodeRemoved(inode: Inode): void {
    this.#times.delete(inode.ino);
    this.#contents.delete(inode);
    this.#names.removed(inode);
    this.#touch();
  }

  /** Nobody can reach the node's bytes any more. */
  dataDropped(inode: Inode, id: DataId): void {
    this.#unsynced.delete(inode);
    this.#names.dataDropped(id);
    this.#touch();
  }

  /** Makes a file durable, and the names and attributes changed so far. */
  sync(inode: Inode, options: SyncOptions): SyncReply {
    this.learnOfFailures();
    this.settle();
    const content = inode.body.kind === "file" ? inode.body.content : undefined;
    const errno = this.#options.failures.mustTell(inode.ino, options.pid);
    if (errno !== 0) throw failedBefore(inode.ino, errno);
    if (!options.dataOnly && this.#times.delete(inode.ino)) this.#names.inodeChanged(inode.ino);
    const files = content?.dataId === undefined ? [] : [inode];
    return this.#submit(options.request, files, options.pid);
  }

  /**
   * Before bytes change: what could not be synced is dropped before anything is written by somebody
   * who has heard of it.
   */
  learnOfFailures(): void {
    const { committer } = this.#options;
    if (committer.failures === this.#failuresSeen) return;
    this.#failuresSeen = committer.failures;
    committer.drain();
    this.settle();
  }

  /** Makes names and attributes durable. */
  syncNames(request: Request | undefined): SyncReply {
    this.settle();
    return this.#submit(request, []);
  }

  /**
   * Commits everything, without waiting.
   *
   * @param options.bytes Also syncs bytes that need no commit, as before an unmount.
   */
  commitAll(options: { readonly bytes: boolean } = { bytes: false }): void {
    this.settle();
    this.#since = undefined;
    this.#isTold = false;
    for (const ino of this.#times) this.#names.inodeChanged(ino);
    this.#times.clear();
    const files = [...(options.bytes ? this.#unsynced.union(this.#contents) : this.#contents)];
    try {
      for (let jobs = 1;; jobs++) {
        this.#submit(undefined, files.splice(0, FILES_A_JOB));
        if (files.length === 0) break;
        if (jobs % JOBS_AT_ONCE === 0) this.#options.committer.drain();
      }
    } catch (error) {
      this.#touch(); // What is left is tried again later.
      throw error;
    }
  }

  /** Commits what is due: everything after a while, or only names, when they are many. */
  commitDue(): void {
    const now = this.#clock();
    const hasManyNames = this.#names.nameCount >= NAMES_A_COMMIT;
    if (!hasManyNames && this.#mayWait(now)) {
      if (!this.#isTold) this.#options.onDue?.();
      this.#isTold = true;
      return;
    }
    if (!hasManyNames || this.#since === undefined || now - this.#since >= COMMIT_AFTER_MS) {
      this.commitAll();
      return;
    }
    this.#namesCommitted = now;
    this.syncNames(undefined);
  }

  /** Whether changes wait until somebody says that this is a good moment. */
  #mayWait(now: number): boolean {
    if (this.#options.onDue === undefined || this.#since === undefined) return false;
    return now - this.#since < COMMIT_OVERDUE_MS;
  }

  /** @throws {PbkfsError} if what was handed to the store last could not be committed. */
  mustCommit(): void {
    if (this.#storeErrno !== 0) throw failedBefore("all changes", this.#storeErrno);
  }

  /** Commits everything, and waits for it. @throws {PbkfsError} if something could not be. */
  flush(): void {
    this.#syncTogether();
    this.commitAll({ bytes: true });
    this.#options.committer.drain();
    const errno = this.settle();
    if (errno !== 0) throw failedBefore("all files", errno);
    for (const [ino, errno] of this.#options.failures.unheard()) throw failedBefore(ino, errno);
  }

  /** Tells the store that it is in use: from now on lengths of files change without a commit. */
  begin(): void {
    this.#commitAlone({ ...NOTHING, nextNumbers: this.#options.nextNumbers() });
  }

  /** As {@link Journal.flush}, as the last thing: lengths of files are told as well. */
  finish(): void {
    for (const inode of this.#options.table.made()) {
      if (inode.links === 0 || inode.body.kind !== "file") continue;
      if (inode.body.content.mustTellLength()) this.#contents.add(inode);
    }
    this.#tellFound();
    this.flush();
    this.#commitAlone({ ...NOTHING, nextNumbers: this.#options.nextNumbers(), isLast: true });
  }

  /** Tells lengths that a crash has left untold. */
  #tellFound(): void {
    const nextNumbers = this.#options.nextNumbers();
    let contents: ContentRecord[] = [];
    const tell = () => {
      if (contents.length > 0) this.#commitAlone({ ...NOTHING, contents, nextNumbers });
      contents = [];
    };
    for (const record of this.#options.table.untold()) {
      if (contents.push(record) === RECORDS_A_BATCH) tell();
    }
    tell();
  }

  /** Commits a batch of its own, and waits for it. */
  #commitAlone(names: MetadataBatch): void {
    const { committer } = this.#options;
    this.#tickets.set(++this.#sequence, NO_TICKET);
    committer.submit({
      ...{ sequence: this.#sequence, epoch: this.#epoch, request: undefined },
      ...{ settled: this.#settled, files: [], syncDirectory: false },
      ...{ names, contents: undefined, deletions: [] },
    });
    committer.drain();
    const errno = this.settle();
    if (errno !== 0) throw failedBefore("all files", errno);
  }

  /**
   * Deletes data files that nothing points at any more, and waits until that is done.
   *
   * @returns Whether there were any: then a full disk has room again, perhaps.
   */
  makeRoom(): boolean {
    const tickets = [...this.#tickets.values()];
    const isUnderWay = tickets.some(({ deletions }) => deletions.length > 0);
    if (!isUnderWay && !this.#names.hasDeletions) return false;
    this.settle();
    this.#submit(undefined, []);
    this.#options.committer.drain();
    this.settle();
    return true;
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

  /** Milliseconds until {@link Journal.commitDue} has something to do; undefined: never. */
  dueMs(): number | undefined {
    if (this.#since !== undefined) {
      const due = this.#names.nameCount < NAMES_A_COMMIT
        ? this.#since + (this.#isTold ? COMMIT_OVERDUE_MS : COMMIT_AFTER_MS)
        : Math.max(this.#since, this.#namesCommitted) + COMMIT_NAMES_AFTER_MS;
      return Math.max(0, due - this.#clock());
    }
    // A job that fails is tried again, for which somebody has to look.
    return this.#tickets.size > 0 ? SETTLE_AFTER_MS : undefined;
  }

  #touch(): void {
    this.#since ??= this.#clock();
  }

  #submit(request: Request | undefined, files: readonly Inode[], pid?: number): SyncReply {
    const { data, committer } = this.#options;
    const toSync = this.#takeUnsynced(files);
    const { batch, ticket } = this.#names.take(this.#options.nextNumbers());
    const taken = this.#takeContents(files);
    const isNothing = batch === undefined && taken.batch === undefined &&
      ticket.deletions.length === 0 && toSync.every(({ fd }) => fd === undefined);
    // What is under way already may be what the caller waits for.
    if (isNothing && this.#tickets.size === 0) return "done";
    const job: CommitJob = {
      sequence: ++this.#sequence,
      epoch: this.#epoch,
      request,
      settled: this.#settled,
      files: toSync,
      syncDirectory: data.directoryChanged,
      names: batch,
      contents: taken.batch,
      deletions: ticket.deletions,
    };
    data.directoryChanged = false;
    for (const inode of files) contentOf(inode).isIn(job.sequence);
    const { syncDirectory, settled } = job;
    const { contents } = taken;
    this.#tickets.set(job.sequence, {
      ...ticket,
      ...{ contents, files, syncDirectory, settled, pid },
    });
    try {
      committer.submit(job);
    } catch (error) {
      this.#takeBack(job);
      throw error;
    }
    return "handedOver";
  }

  /** A job could not be submitted: all is as if it had not been made. */
  #takeBack(job: CommitJob): void {
    const ticket = this.#tickets.get(job.sequence) as Ticket;
    this.#tickets.delete(job.sequence);
    this.#sequence = job.sequence - 1;
    for (const { fd } of job.files) if (fd !== undefined) this.#options.libc.close(fd);
    ticket.files.forEach((inode, index) => {
      if (job.files[index]?.fd === undefined) return;
      contentOf(inode).syncPutBack();
      this.#unsynced.add(inode);
    });
    this.#putBackNames(ticket);
    this.#putBackContents(ticket);
  }

  /** @throws {PbkfsError} if a file cannot be opened; nothing is taken then. */
  #takeUnsynced(files: readonly Inode[]): FileToSync[] {
    const { libc } = this.#options;
    const taken: FileToSync[] = [];
    try {
      for (const inode of files) {
        const { dataId, hasUnsyncedBytes } = contentOf(inode);
        const id = dataId as DataId;
        // A duplicate, since the pool may close its descriptor before the job is done.
        taken.push({ id, fd: hasUnsyncedBytes ? this.#duplicate(id) : undefined });
      }
    } catch (error) {
      for (const { fd } of taken) if (fd !== undefined) libc.close(fd);
      throw error;
    }
    for (const inode of files) {
      contentOf(inode).syncTaken();
      this.#unsynced.delete(inode);
    }
    return taken;
  }

  /**
   * Syncs very many files at once. What is not known to be on disk then is left for jobs, which sync
   * each file.
   */
  #syncTogether(): void {
    const isTogether = this.#hasManyUnsynced() && this.#syncFileSystem();
    if (this.#inheritedIsUnsynced) this.#takeInherited(isTogether);
    this.#inheritedIsUnsynced = false;
    if (!isTogether) return;
    for (const inode of [...this.#unsynced]) {
      const content = contentOf(inode);
      const errno = this.#writeErrno(content.dataId as DataId);
      if (errno === undefined) continue;
      content.syncTaken();
      this.#unsynced.delete(inode);
      if (errno !== 0) this.#healAlone(inode, errno);
    }
  }

  #hasManyUnsynced(): boolean {
    let count = this.#unsynced.size;
    if (!this.#inheritedIsUnsynced) return count >= FILES_SYNCED_TOGETHER;
    const inherited = this.#options.table.inherited();
    while (count < FILES_SYNCED_TOGETHER && inherited.next().done !== true) count++;
    return count >= FILES_SYNCED_TOGETHER;
  }

  #syncFileSystem(): boolean {
    const { data, libc } = this.#options;
    try {
      return libc.syncFileSystem(data.directoryFd);
    } catch {
      return false; // It may be about a file of others: each of ours will tell.
    }
  }

  /**
   * Files that were in the diff at the mount are to be synced as well: who wrote them may have died
   * before. Where that is done already, they need not be made.
   */
  #takeInherited(isSynced: boolean): void {
    const { table } = this.#options;
    for (const { ino, dataId, made } of table.inherited()) {
      const errno = made === undefined && isSynced ? this.#writeErrno(dataId) : undefined;
      if (errno === 0) continue;
      const inode = table.get(ino);
      if (errno !== undefined) this.#healAlone(inode, errno);
      else if (contentOf(inode).hasUnsyncedBytes) this.#unsynced.add(inode);
    }
  }

  /** What fdatasync(2) would fail with, once all has been sent; undefined if it cannot be asked. */
  #writeErrno(id: DataId): number | undefined {
    const { data, libc } = this.#options;
    let fd: Fd;
    try {
      fd = data.fd(id);
    } catch {
      return undefined;
    }
    try {
      libc.writeError(fd);
      return 0;
    } catch (error) {
      return errnoOf(error);
    }
  }

  /** Where there are too many descriptors, jobs under way give theirs back. */
  #duplicate(id: DataId): Fd {
    const { data, libc, committer } = this.#options;
    try {
      return libc.dup(data.fd(id));
    } catch (error) {
      if (errnoOf(error) !== ERRNO.EMFILE) throw error;
      committer.drain();
      return libc.dup(data.fd(id));
    }
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
      ...NOTHING,
      contents: records.map(({ content }) => content),
      pages: records.flatMap(({ pages }) => pages),
      nextNumbers: this.#options.nextNumbers(),
    };
    return { batch, contents };
  }

  #settleOutcomes(): { readonly errno: number; readonly hasStoreFailed: boolean } {
    let errno = 0;
    let hasStoreFailed = false;
    for (const outcome of this.#options.committer.outcomes()) {
      const ticket = this.#tickets.get(outcome.sequence) as Ticket;
      this.#tickets.delete(outcome.sequence);
      this.#settled = outcome.sequence;
      const failed = outcome.storeErrno || outcome.syncErrno;
      errno ||= failed;
      hasStoreFailed ||= outcome.storeErrno !== 0;
      this.#storeErrno = outcome.storeErrno;
      if (outcome.storeErrno !== 0) this.#putBackNames(ticket);
      if (failed !== 0) this.#putBackContents(ticket);
      if (outcome.syncErrno !== 0) this.#healFiles(ticket, outcome);
      else this.#committed(ticket, outcome.sequence);
    }
    return { errno, hasStoreFailed };
  }

  #putBackNames(ticket: Ticket): void {
    this.#names.putBack(ticket);
    this.#options.data.directoryChanged ||= ticket.syncDirectory;
    this.#touch();
  }

  /** Files that could not be synced go on with what is certain, once somebody has heard of it. */
  #healFiles(ticket: Ticket, { sequence, failedFiles, syncErrno }: CommitOutcome): void {
    ticket.files.forEach((inode, index) => {
      const isThere = this.#options.table.find(inode.ino) === inode;
      if ((failedFiles & (1 << index)) === 0 || !isThere) return;
      this.#heal(inode, syncErrno, { ...ticket, sequence });
    });
  }

  /** No job has failed: nobody has heard of it. */
  #healAlone(inode: Inode, errno: number): void {
    this.#heal(inode, errno, { sequence: this.#sequence, settled: this.#settled, pid: undefined });
  }

  #heal(inode: Inode, errno: number, job: FailedJob): void {
    const { data, failures } = this.#options;
    failures.failed(inode.ino, errno, job);
    const content = contentOf(inode);
    const dropped = content.heal();
    if (dropped !== undefined) {
      data.forget(dropped);
      this.#names.dataDropped(dropped);
    }
    // One that is as the base has it again has nothing to be synced.
    if (content.hasUnsyncedBytes) this.#unsynced.add(inode);
    else this.#unsynced.delete(inode);
    if (content.hasUncommittedChanges && inode.links > 0) this.#contents.add(inode);
    this.#touch();
  }

  #putBackContents(ticket: Ticket): void {
    for (const { inode, pages } of ticket.contents) {
      contentOf(inode).commitFailed(pages);
      if (inode.links > 0) this.#contents.add(inode);
    }
    this.#touch();
  }

  #committed(ticket: Ticket, sequence: number): void {
    for (const { inode, pages } of ticket.contents) {
      const content = contentOf(inode);
      content.committed(pages);
      if (inode.links > 0) content.reclaim(sequence);
    }
  }
}

function failedBefore(what: Ino | string, errno: number): PbkfsError {
  return new PbkfsError("Io", {
    what: `A sync of ${typeof what === "number" ? `inode ${what}` : what} has failed with ` +
      errnoName(errno),
    todo: "The log says more.",
    errno,
  });
}
