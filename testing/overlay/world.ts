/**
 * An overlay over a fake base, beside the model that it must agree with.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { ERRNO, PbkfsError } from "../../errors.ts";
import { type ByteString, byteString } from "../../ffi/bytes.ts";
import { type Fd, OPEN, systemLibc } from "../../ffi/libc.ts";
import { type Attributes, type Ino, type Place, type Request, ROOT_INO } from "../../fuse/mod.ts";
import { checkDataFiles } from "../../overlay/check/data_check.ts";
import {
  type CommitContext,
  type CommitJob,
  type CommitOutcome,
  type Committer,
  InlineCommitter,
  makeContext,
  runJobsAtOnce,
} from "../../overlay/commit/committer.ts";
import { Overlay } from "../../overlay/overlay.ts";
import { OverlayCounters } from "../../overlay/shared/counters.ts";
import type { DataId, MetadataBatch, PromptStore } from "../../overlay/store/metadata_store.ts";
import { StoredState } from "../../overlay/store/stored_state.ts";
import { FakeBase, type FakeEntry } from "./fake_base.ts";
import { FragileDisk, SECTOR_SIZE_BYTES } from "./fragile_disk.ts";
import { Model, type ModelNode, Refused, same, wrongAfterCrash } from "./model.ts";
import { READ_SIZE_BYTES_MAX, Reading } from "./reading.ts";

/** No file that is compared is longer. */
const FILE_SIZE_BYTES_MAX = 4 << 20;

/** A store whose next commit can be made to fail. */
export class FaultyStore implements PromptStore {
  readonly #store: PromptStore;
  readonly #calls: string[];
  failErrno = 0;
  /** How many batches it has taken. */
  commits = 0;

  /** @param calls Gets a line for each commit. */
  constructor(store: PromptStore, calls: string[]) {
    this.#store = store;
    this.#calls = calls;
  }

  load() {
    return this.#store.load();
  }

  loadPacked() {
    return this.#store.loadPacked();
  }

  commit(batches: readonly MetadataBatch[]): void {
    this.#calls.push("commit");
    const errno = this.failErrno;
    this.failErrno = 0;
    if (errno !== 0) throw new PbkfsError("Io", { what: "The store fails, on purpose", errno });
    this.#store.commit(batches);
    this.commits++;
  }

  dataDeleted(id: DataId): void {
    this.#store.dataDeleted(id);
  }

  close(): void {
    this.#store.close();
  }
}

/** Runs jobs when it is told to, as a busy thread would. */
export class HeldCommitter implements Committer {
  readonly #context: CommitContext<PromptStore>;
  readonly #jobs: CommitJob[] = [];
  #outcomes: CommitOutcome[] = [];
  /** Whether the next job cannot be submitted. */
  refuses = false;

  constructor(context: CommitContext<PromptStore>) {
    this.#context = context;
  }

  submit(job: CommitJob): void {
    if (this.refuses) {
      this.refuses = false;
      throw new RangeError("The job is too large, on purpose");
    }
    this.#jobs.push(job);
  }

  /** Runs the next `count` jobs together. */
  run(count = this.#jobs.length): void {
    const jobs = this.#jobs.splice(0, count);
    if (jobs.length > 0) this.#outcomes.push(...runJobsAtOnce(jobs, this.#context));
  }

  outcomes(): CommitOutcome[] {
    return this.#outcomes.splice(0);
  }

  get failures(): number {
    return this.#context.failures.failedSyncs;
  }

  drain(): void {
    this.run();
  }

  close(): void {}
}

/** The overlay, what is below it, and what it should be like. */
export class World {
  readonly model: Model;
  readonly disk: FragileDisk;
  readonly store: FaultyStore;
  readonly base: FakeBase;
  readonly reading: Reading;
  /** Files that are held open: the overlay's number and the model's node. */
  readonly open: ({ readonly ino: Ino; readonly node: ModelNode } | undefined)[] = [];
  overlay: Overlay;
  readonly #dataPath: string;
  readonly #inoOf = new Map<ModelNode, Ino>();
  readonly #holdsJobs: boolean;
  readonly #onCommitDue: (() => void) | undefined;
  #directoryFd = -1 as Fd;
  #held: HeldCommitter | undefined;
  #replyErrno = 0;
  /** Processes whose number is odd have been there always; the others begin when they are met. */
  readonly processes = {
    processOf: (pid: number) => ({
      id: `${pid}`,
      startedTicks: pid % 2 === 1 ? 0 : this.#ticks++,
    }),
    uptimeTicks: () => this.#ticks++,
  };
  #ticks = 1;
  /** The overlay's clock, in milliseconds. */
  clockMs = 0;

  constructor(options: {
    readonly base: Readonly<Record<string, FakeEntry>>;
    readonly store: PromptStore;
    /** An empty directory. */
    readonly dirPath: string;
    /** Whether jobs wait until {@link World.committer} is told to run them. */
    readonly holdsJobs?: boolean;
    /** Who is told that changes wait for a commit; without it they are committed at once. */
    readonly onCommitDue?: () => void;
    /** Whether there are read workers, and much that only they should read. */
    readonly workers?: boolean;
  }) {
    this.#holdsJobs = options.holdsJobs ?? false;
    this.#onCommitDue = options.onCommitDue;
    this.base = new FakeBase(options.base);
    this.model = new Model(options.base);
    this.#dataPath = `${options.dirPath}/data`;
    Deno.mkdirSync(this.#dataPath);
    this.disk = new FragileDisk(this.#dataPath);
    this.reading = new Reading({ libc: this.disk.libc, workers: options.workers ?? false });
    this.store = new FaultyStore(options.store, this.disk.calls);
    this.overlay = this.#openOverlay();
  }

  close(): void {
    this.reading.close();
    this.overlay.close();
    this.disk.libc.close(this.#directoryFd);
    this.store.close();
    this.base.close();
  }

  /** What runs the jobs, if they wait. */
  get committer(): HeldCommitter {
    return this.#held as HeldCommitter;
  }

  /** Runs `body` on the overlay. @returns The errno that it was refused with, or 0. */
  attempt(body: () => void): number {
    try {
      body();
      return 0;
    } catch (error) {
      if (error instanceof PbkfsError) return error.errno;
      throw error;
    }
  }

  /** Runs a step on both, and checks that both do it, or refuse it for the same reason. */
  both(onModel: () => void, onOverlay: () => void): boolean {
    let expected = 0;
    try {
      onModel();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      expected = error.errno;
    }
    assert.equal(this.attempt(onOverlay), expected, "errno");
    return expected === 0;
  }

  /** Looks a path up as the kernel does, and lets go of it afterwards. */
  withNode<T>(path: string, body: (attributes: Attributes) => T): T {
    const held: Ino[] = [];
    let attributes = this.overlay.getAttributes(ROOT_INO);
    try {
      for (const name of path.split("/").filter((part) => part !== "")) {
        const found = this.overlay.lookup({ parent: attributes.ino, name: name as ByteString });
        if (found === undefined) throw new PbkfsError("Io", { what: name, errno: ERRNO.ENOENT });
        held.push(found.ino);
        attributes = found;
      }
      return body(attributes);
    } finally {
      for (const ino of held) this.overlay.forget(ino, 1);
    }
  }

  withPlace<T>(path: string, body: (place: Place) => T): T {
    const slash = path.lastIndexOf("/");
    return this.withNode(path.slice(0, Math.max(0, slash)), ({ ino, mode }) => {
      if ((mode & 0o170000) !== 0o040000) {
        throw new PbkfsError("Io", { what: path, errno: ERRNO.ENOTDIR });
      }
      return body({ parent: ino, name: path.slice(slash + 1) as ByteString });
    });
  }

  read(ino: Ino): Uint8Array<ArrayBuffer> {
    const parts: Uint8Array<ArrayBuffer>[] = [];
    for (let at = 0; at % READ_SIZE_BYTES_MAX === 0;) {
      const range = { offsetBytes: at, sizeBytes: READ_SIZE_BYTES_MAX };
      const part = this.reading.request((target, request) =>
        this.overlay.read(ino, range, target, request)
      );
      if (part.length === 0) break;
      parts.push(part);
      at += part.length;
    }
    const [only = new Uint8Array()] = parts;
    return parts.length <= 1 ? only : new Uint8Array(Buffer.concat(parts));
  }

  /** What a sync ends with: 0 or an errno. */
  sync(ino: Ino, dataOnly = false, pid = 1): number {
    this.#replyErrno = 0;
    const request = 1 as Request;
    const errno = this.attempt(() => this.overlay.sync(ino, request, { dataOnly, pid }));
    return errno || this.#replyErrno;
  }

  /** Unmounts and mounts again. */
  remount(): void {
    for (const held of this.open) if (held !== undefined) this.overlay.forget(held.ino, 1);
    this.overlay.flush();
    this.model.flush();
    this.restart();
  }

  /**
   * The process ends at once, and is started again.
   *
   * @param choose If given, the power fails as well; whether to keep what was not synced.
   */
  restart(choose?: () => boolean): void {
    this.open.splice(0);
    this.overlay.close();
    this.disk.libc.close(this.#directoryFd);
    if (choose !== undefined) this.disk.cutPower(choose);
    this.overlay = this.#openOverlay();
  }

  /** As {@link World.restart}, and looks whether what is there then may be there. */
  crash(choose?: () => boolean): void {
    this.model.crash();
    this.restart(choose);
    const seen = new Set<ModelNode>();
    for (const [path, node] of this.model.walk()) {
      if (node.kind !== "file" || seen.has(node)) continue;
      seen.add(node);
      const bytes = this.withNode(path, ({ ino }) => this.read(ino));
      const wrong = wrongAfterCrash(bytes, node.versions);
      assert.equal(wrong, undefined, `${path} after a crash: ${wrong}`);
      node.become(bytes);
      if (choose !== undefined) node.synced();
    }
  }

  /** A file whose sync has failed is as after a crash; what it is then, it stays. */
  healed(node: ModelNode, ino: Ino): void {
    const bytes = this.read(ino);
    const wrong = wrongAfterCrash(bytes, node.versions);
    assert.equal(wrong, undefined, `a file whose sync has failed: ${wrong}`);
    node.become(bytes);
  }

  /** Length of a file in the diff. */
  dataSizeBytes(id: number): number {
    return Deno.statSync(`${this.#dataPath}/${id.toString(16).padStart(16, "0")}`).size;
  }

  /** Compares everything. */
  compare(): void {
    this.#compareNode("", this.model.root, this.overlay.getAttributes(ROOT_INO));
    for (const held of this.open) {
      if (held !== undefined) this.#compareBytes("an open file", held.node, held.ino);
    }
  }

  #compareNode(path: string, node: ModelNode, attributes: Attributes): void {
    const { ino } = attributes;
    const known = this.#inoOf.get(node) ?? ino;
    this.#inoOf.set(node, known);
    assert.equal(ino, known, `inode number of ${path}`);
    const { mode, uid, gid, links } = attributes;
    const expected = node.status;
    const what = (status: { mode: number; uid: number; gid: number; links: number }) =>
      `${path} ${(status.mode & 0o7777).toString(8)} ${status.uid} ${status.gid} ${status.links}`;
    assert.equal(what({ mode, uid, gid, links }), what(expected));
    if (node.modified !== undefined) {
      assert.equal(attributes.modified.seconds, node.modified, `time of ${path}`);
    }
    this.#compareAttributes(path, node, ino);
    if (node.kind === "file") this.#compareBytes(path, node, ino);
    if (node.kind === "symlink") assert.equal(this.overlay.readLink(ino), node.target);
    if (node.kind === "directory") this.#compareEntries(path, node, ino);
  }

  #compareEntries(path: string, node: ModelNode, ino: Ino): void {
    const names = [...this.overlay.list(ino, 0)].map(({ name }) => name as string);
    assert.deepEqual(names.sort(), [".", "..", ...node.entries.keys()].sort(), `names in ${path}`);
    for (const [name, child] of node.entries) {
      const found = this.overlay.lookup({ parent: ino, name: name as ByteString }) as Attributes;
      this.#compareNode(path === "" ? name : `${path}/${name}`, child, found);
      this.overlay.forget(found.ino, 1);
    }
  }

  #compareAttributes(path: string, node: ModelNode, ino: Ino): void {
    const names = this.overlay.listExtendedAttributes(ino) as readonly string[];
    assert.deepEqual(names.toSorted(), [...node.status.attributes.keys()].sort(), path);
    for (const [name, value] of node.status.attributes) {
      const found = this.overlay.getExtendedAttribute(ino, name as ByteString);
      assert.deepEqual(found, value, `attribute ${name} of ${path}`);
    }
  }

  #compareBytes(path: string, { bytes }: ModelNode, ino: Ino): void {
    assert.equal(this.overlay.getAttributes(ino).sizeBytes, bytes.length, `size of ${path}`);
    this.#checkHoles(path, bytes, ino);
    const actual = this.read(ino);
    if (same(actual, bytes)) return;
    const at = actual.findIndex((byte, index) => byte !== bytes[index]);
    assert.fail(`${path} differs at ${at} of ${bytes.length}: ${actual[at]}, not ${bytes[at]}`);
  }

  /** What is told to be a hole must be zeros, and what is not zeros must take space. */
  #checkHoles(path: string, bytes: Uint8Array, ino: Ino): void {
    let at = 0;
    for (let isHole = true; at < bytes.length; isHole = !isHole) {
      const what = isHole ? "data" : "hole";
      const { offsetBytes, emptyFromBytes, emptyEndBytes } = this.overlay.seek(ino, at, what);
      const end = offsetBytes ?? bytes.length;
      assert(end >= at && end <= bytes.length && (isHole || end > at), `${what} of ${path}`);
      const empty = isHole ? bytes.subarray(at, end) : bytes.subarray(end, emptyEndBytes);
      assert.equal(emptyFromBytes, isHole ? at : end, `what an answer rests on, ${path}`);
      if (end === bytes.length) assert.equal(emptyEndBytes, Infinity);
      assert(isZero(empty), `a hole of ${path} from ${at} to ${end}`);
      at = end;
    }
    const behind = this.overlay.seek(ino, bytes.length, "hole");
    assert.equal(behind.offsetBytes, undefined, `behind the end of ${path}`);
    let taken = 1;
    // Of a large file the first part will do.
    const counted = Math.min(bytes.length, 16 * SECTOR_SIZE_BYTES);
    for (let sector = 0; sector < counted; sector += SECTOR_SIZE_BYTES) {
      const part = bytes.subarray(sector, sector + SECTOR_SIZE_BYTES);
      if (!isZero(part)) taken += part.length >> 9;
    }
    const { blocks512 } = this.overlay.getAttributes(ino);
    assert(blocks512 >= Math.max(1, taken - 1), `${blocks512} blocks of ${path}, not ${taken}`);
  }

  #openOverlay(): Overlay {
    const { libc } = this.disk;
    const { state, nextDataId } = checkDataFiles({
      libc: systemLibc(),
      dataDirectory: this.#dataPath,
      lostDirectory: `${this.#dataPath}/../lost+found`,
      state: new StoredState(this.store.loadPacked()),
      pathOf: (ino) => `inode ${ino}`,
    });
    const dataDirectory = byteString(new TextEncoder().encode(this.#dataPath));
    this.#directoryFd = libc.open(dataDirectory, OPEN.readOnly | OPEN.directory);
    const context: CommitContext<PromptStore> = makeContext({
      store: this.store,
      libc,
      dataDirectory,
      dataDirectoryFd: this.#directoryFd,
      reply: (request, errno) => {
        this.disk.calls.push(`reply ${request}: ${errno}`);
        this.#replyErrno = errno;
      },
      onError: () => {},
    });
    if (this.#holdsJobs) this.#held = new HeldCommitter(context);
    const overlay = new Overlay({
      base: this.base,
      reads: this.reading.engine,
      state,
      nextDataId,
      committer: this.#held ?? new InlineCommitter(context),
      libc,
      dataDirectory,
      owner: { uid: 0, gid: 0, rootMode: 0o700, time: { seconds: 1_700_000_000, nanoseconds: 0 } },
      counters: new OverlayCounters(),
      clock: () => this.clockMs,
      processes: this.processes,
      ...(this.#onCommitDue !== undefined && { onCommitDue: this.#onCommitDue }),
    });
    overlay.begin();
    return overlay;
  }
}

const zeros = new Uint8Array(FILE_SIZE_BYTES_MAX);

function isZero(bytes: Uint8Array): boolean {
  return same(bytes, zeros.subarray(0, bytes.length));
}
