/**
 * The salvage of a damaged diff: what its metadata still tells, and data files that it does not
 * name, in a directory of their own.
 *
 * @module
 */

import type { BaseTree, EntryIndex } from "../../backup/mod.ts";
import { DIFF_NAMES } from "../../binding/mod.ts";
import type { ByteString } from "../../ffi/bytes.ts";
import { TYPE } from "../../ffi/file_type.ts";
import type { Libc } from "../../ffi/libc.ts";
import { type Ino, ROOT_INO } from "../../fuse/mod.ts";
import { dataFileName } from "../data/data_files.ts";
import { FIRST_BASE_INO, type TreeOwner } from "../names/inode_table.ts";
import type { ContentRecord, DataId, InodeRecord } from "../store/metadata_store.ts";
import { StatePacker, StoredState } from "../store/stored_state.ts";
import { measure, unnamed } from "./data_check.ts";
import { inspectStore } from "./inspect_store.ts";

/** A diff to be looked at. */
export interface SalvageOptions {
  readonly storePath: string;
  /** What the binding tells. */
  readonly generation: number | undefined;
  readonly dataDirectory: string;
  readonly base: Pick<BaseTree, "count" | "mode" | "names">;
  readonly owner: TreeOwner;
  readonly libc: Libc;
}

/** What is left. */
export interface Salvaged {
  /** To be served read-only. */
  readonly state: StoredState;
  /** The same without what the metadata tells, should that contradict itself. */
  readonly pristine: StoredState;
  /** For the operator: what is not as it was. */
  readonly notes: readonly string[];
}

const NO_FACTS = { nextNumbers: undefined, isClean: false, keepsLengths: true, generation: 0 };
const EMPTY = new StoredState(new StatePacker().done(NO_FACTS));

/** Looks at a diff, and changes nothing. */
export async function salvage(options: SalvageOptions): Promise<Salvaged> {
  const { storePath, generation } = options;
  const { state: stored, damages } = await inspectStore(storePath, generation);
  const known = stored ?? EMPTY;
  const found = composed(known, options);
  const notes = [
    ...damages,
    ...(stored === undefined
      ? ["none of the metadata can be read: files are as the backup has them"]
      : []),
    ...(found.wrong > 0
      ? [`${found.wrong} data files are missing or too short: reading what is missing fails`]
      : []),
    ...(found.strays > 0
      ? [`${found.strays} data files that nothing names are in "${found.name}" of the mount`]
      : []),
  ];
  return { state: found.state, pristine: composed(EMPTY, options).state, notes };
}

/** What a store tells, as far as it can be used, and a directory of all that it does not name. */
function composed(stored: StoredState, options: SalvageOptions): {
  readonly state: StoredState;
  readonly wrong: number;
  readonly strays: number;
  /** Of the directory. */
  readonly name: string;
} {
  const { base, libc, dataDirectory } = options;
  const strays = unnamed({ dataDirectory, state: stored }).strays
    .filter((name) => /^[0-9a-f]{16}$/.test(name)).sort()
    .map((name) => parseInt(name, 16) as DataId);
  const name = freeName(stored, base);
  const packer = new StatePacker();
  const added = strays.length > 0 ? strayRecords(strays, { stored, options }) : undefined;
  addConsistent(packer, stored, { base, name, first: added?.directory.ino });
  if (added !== undefined) addStrays(packer, added);
  const all = new StoredState(packer.done(factsOf(stored, added, base)));
  const { found, wrong } = measure({ libc, dataDirectory, state: all });
  return {
    state: all.withFound(lengthsToShow(all, found, wrong.map(({ dataId }) => dataId))),
    ...{ wrong: wrong.length, strays: strays.length, name },
  };
}

/** What is missing of a file is not to look as if it had never been there. */
function lengthsToShow(
  state: StoredState,
  found: Float64Array,
  wrong: readonly DataId[],
): Float64Array {
  const isWrong = new Set(wrong);
  const lengths = found.slice();
  let row = 0;
  for (const { dataId, lengthBytes = 0 } of state.contents) {
    if (isWrong.has(dataId)) lengths[row] = Math.max(found[row]! || 0, lengthBytes);
    row++;
  }
  return lengths;
}

/**
 * Leaves out what mentions inodes that nothing tells of.
 *
 * @param first The inode that `name` leads to from the root, if there is one more.
 */
function addConsistent(
  packer: StatePacker,
  state: StoredState,
  { base, name, first }: {
    readonly base: SalvageOptions["base"];
    readonly name: string;
    readonly first: Ino | undefined;
  },
): void {
  const typeOf = (ino: Ino): number | undefined => {
    if (ino === ROOT_INO) return TYPE.directory;
    const mode = modeInBase(ino, base) ?? state.mode(ino);
    return mode === undefined ? undefined : mode & TYPE.mask;
  };
  for (const inode of state.inodes) {
    if ((inode.mode & TYPE.mask) === typeOf(inode.ino)) packer.addInode(inode);
  }
  let isNamed = first === undefined;
  const addName = () => {
    packer.addName({ parent: ROOT_INO, name: name as ByteString, to: first as Ino });
    isNamed = true;
  };
  for (const record of state.names) {
    if (!isNamed && record.parent > ROOT_INO) addName();
    if (typeOf(record.parent) !== TYPE.directory) continue;
    if (typeof record.to !== "number" || typeOf(record.to) !== undefined) packer.addName(record);
  }
  if (!isNamed) addName();
  const isFile = ({ ino }: { readonly ino: Ino }) => typeOf(ino) === TYPE.file;
  for (const record of state.contents) if (isFile(record)) packer.addContent(record);
  for (const record of state.pages) if (isFile(record)) packer.addPages(record);
  for (const record of state.extendedAttributes) {
    if (typeOf(record.ino) !== undefined) packer.addAttribute(record);
  }
}

function modeInBase(ino: Ino, base: SalvageOptions["base"]): number | undefined {
  const entry = ino - FIRST_BASE_INO;
  return entry >= 0 && entry < base.count ? base.mode(entry as EntryIndex) : undefined;
}

/** Files under the numbers of their data files, in a directory. Their inodes come after all others. */
interface StrayRecords {
  readonly directory: InodeRecord;
  readonly files: readonly InodeRecord[];
  readonly contents: readonly ContentRecord[];
}

function strayRecords(
  ids: readonly DataId[],
  { stored, options: { base, owner } }: {
    readonly stored: StoredState;
    readonly options: SalvageOptions;
  },
): StrayRecords {
  const first = Math.max(
    base.count + FIRST_BASE_INO,
    stored.nextNumbers?.nextIno ?? 0,
    lastInoOf(stored) + 1,
  );
  const inode = (ino: number, mode: number, links: number): InodeRecord => ({
    ...{ ino: ino as Ino, mode, links, uid: owner.uid, gid: owner.gid, rdev: 0 },
    ...{ accessed: owner.time, modified: owner.time, changed: owner.time },
  });
  const files = ids.map((_, index) => inode(first + 1 + index, TYPE.file | 0o600, 1));
  return {
    directory: inode(first, TYPE.directory | 0o700, 2),
    files,
    contents: files.map(({ ino }, index) => ({
      ...{ ino, form: "whole", dataId: ids[index]!, sizeBytes: 0, baseLimitBytes: 0 },
    })),
  };
}

function addStrays(packer: StatePacker, { directory, files, contents }: StrayRecords): void {
  for (const inode of [directory, ...files]) packer.addInode(inode);
  for (const content of contents) {
    const name = dataFileName(content.dataId);
    packer.addName({ parent: directory.ino, name, to: content.ino });
    packer.addContent(content);
  }
}

/** Numbers that are given out come after all that are used. */
function factsOf(
  stored: StoredState,
  added: StrayRecords | undefined,
  base: SalvageOptions["base"],
) {
  let lastId = 0;
  for (const { dataId } of stored.contents) lastId = Math.max(lastId, dataId);
  for (const { dataId } of added?.contents ?? []) lastId = Math.max(lastId, dataId);
  const lastIno = added?.files.at(-1)?.ino ?? lastInoOf(stored);
  return {
    ...stored.facts,
    nextNumbers: {
      nextIno: Math.max(base.count + FIRST_BASE_INO, stored.nextNumbers?.nextIno ?? 0, lastIno + 1),
      nextDataId: Math.max(stored.nextNumbers?.nextDataId ?? 1, lastId + 1),
    },
  };
}

function lastInoOf(state: StoredState): number {
  let last = 0;
  for (const [ino] of state.modes()) last = ino;
  return last;
}

function freeName({ names }: StoredState, base: SalvageOptions["base"]): string {
  const taken = new Set<string>();
  for (const { parent, name } of names) if (parent === ROOT_INO) taken.add(name);
  const { lostAndFound } = DIFF_NAMES;
  let name: string = lostAndFound;
  const isTaken = () =>
    taken.has(name) || base.names(undefined).find(name as ByteString) !== undefined;
  for (let number = 1; isTaken(); number++) name = `${lostAndFound}.${number}`;
  return name;
}
