/**
 * The check of a store's records against each other and against the base: each record may be as it
 * should, and a directory still lie in itself.
 *
 * @module
 */

import { PbkfsError } from "../../errors.ts";
import { TYPE } from "../../ffi/file_type.ts";
import { type Ino, ROOT_INO } from "../../fuse/mod.ts";
import type { StoredState } from "./stored_state.ts";

/** The base, as the store knows it: by inode. */
export interface BaseInodes {
  /** The first number that the base does not use. */
  readonly firstNewIno: number;
  /** undefined: there is no such inode in the base. */
  mode(ino: Ino): number | undefined;
  parent(ino: Ino): Ino | undefined;
}

/**
 * @returns For each directory that the store has under a name, where it is.
 * @throws {PbkfsError} `DiffDamaged`
 */
export function checkState(state: StoredState, base: BaseInodes): Map<Ino, Ino> {
  const typeOf = (ino: Ino) => {
    const mode = state.mode(ino) ?? base.mode(ino);
    return mode === undefined ? undefined : mode & TYPE.mask;
  };
  let lastIno = 0;
  for (const [ino, mode] of state.modes()) {
    const inBase = base.mode(ino);
    if (inBase !== undefined && (inBase & TYPE.mask) !== (mode & TYPE.mask)) {
      throw damaged(`inode ${ino} is of another type than in the backup`);
    }
    lastIno = ino;
  }
  const dataIds = new Set<number>();
  let lastDataId = 0;
  for (const { ino, dataId } of state.contents) {
    if (typeOf(ino) !== TYPE.file) throw damaged(`inode ${ino} has bytes but is not a file`);
    if (dataIds.has(dataId)) throw damaged(`two files have their bytes in data file ${dataId}`);
    dataIds.add(dataId);
    lastDataId = Math.max(lastDataId, dataId);
  }
  for (const { ino } of state.extendedAttributes) mustBe(typeOf(ino), ino);
  checkCounters(state, { lastIno, lastDataId, firstNewIno: base.firstNewIno });
  const parents = new Map<Ino, Ino>();
  for (const { parent, to } of state.names) {
    // Whiteouts of a directory that has itself been removed since.
    if (typeof to !== "number" || typeOf(parent) !== TYPE.directory) continue;
    const type = mustBe(typeOf(to), to);
    if (type !== TYPE.directory) continue;
    if (parents.has(to)) throw damaged(`directory ${to} has two names`);
    parents.set(to, parent);
  }
  mustLeadToRoot(parents, base);
  return parents;
}

/** A number that was given out is not given out again: a new file would take the place of another. */
function checkCounters(
  { nextNumbers }: StoredState,
  { lastIno, lastDataId, firstNewIno }: {
    readonly lastIno: number;
    readonly lastDataId: number;
    readonly firstNewIno: number;
  },
): void {
  if (nextNumbers === undefined) {
    if (lastIno > 0 || lastDataId > 0) throw damaged("the numbers to be given out are missing");
    return;
  }
  const { nextIno, nextDataId } = nextNumbers;
  const fits = nextIno >= firstNewIno && nextIno > lastIno && nextDataId > lastDataId;
  if (!fits) {
    throw damaged(`numbers up to ${nextIno} and ${nextDataId} are given out, and more used`);
  }
}

/** @throws {PbkfsError} `DiffDamaged` if a directory is in itself. */
function mustLeadToRoot(parents: ReadonlyMap<Ino, Ino>, base: BaseInodes): void {
  const good = new Set<Ino>([ROOT_INO]);
  for (const start of parents.keys()) {
    const way = new Set<Ino>();
    for (let ino: Ino | undefined = start; ino !== undefined && !good.has(ino);) {
      if (way.has(ino)) throw damaged(`directory ${ino} lies in itself`);
      way.add(ino);
      ino = parents.get(ino) ?? base.parent(ino);
    }
    for (const ino of way) good.add(ino);
  }
}

function mustBe(type: number | undefined, ino: Ino): number {
  if (type === undefined) throw damaged(`inode ${ino} is mentioned but not recorded`);
  return type;
}

function damaged(what: string): PbkfsError {
  return new PbkfsError("DiffDamaged", {
    what: `The diff's metadata contradicts itself: ${what}`,
    todo: "Restore the diff from a copy, or start with an empty diff directory.",
  });
}
