/**
 * Takes the space that a mount keeps, as planned, or as far as the diff's file system can.
 *
 * @module
 */

import { pathsIn } from "../binding/mod.ts";
import { ERRNO, errnoName, errnoOf, PbkfsError } from "../errors.ts";
import { byteStringOf } from "../ffi/bytes.ts";
import type { Libc } from "../ffi/libc.ts";
import {
  Reserve,
  type RoomOptions,
  type SpaceChange,
  SpareFiles,
  type VitalFiles,
} from "../overlay/mod.ts";
import type { Note } from "./protocol.ts";
import type { SpacePlan } from "./space_plan.ts";

/** Files of a data directory at which PostgreSQL ends with a PANIC if they cannot be written. */
const VITAL = {
  overwritten: [
    "pg_wal",
    "pg_xact",
    "pg_multixact/members",
    "pg_multixact/offsets",
    "pg_commit_ts",
  ],
  small: ["global/pg_control", "pg_logical", "pg_replslot", "pg_twophase", "postmaster.pid"],
} as const satisfies Record<keyof VitalFiles, readonly string[]>;

/** What was taken. */
export interface OpenRoom {
  readonly options: RoomOptions;
  /** Whether the kernel may gather writes. */
  readonly gathers: boolean;
}

/** Opens the room of a diff. */
export function openRoom(options: {
  readonly diffPath: string;
  readonly libc: Libc;
  readonly plan: SpacePlan;
  readonly shared: SharedArrayBuffer;
  readonly tell: (note: Note) => void;
}): OpenRoom {
  const { diffPath, libc, plan, shared, tell } = options;
  const reserve = new Reserve({
    libc,
    path: byteStringOf(pathsIn(diffPath).reserve),
    targetBytes: plan.reserveBytes,
  });
  let { gathers, limits } = plan;
  let note = plan.note;
  let isKept = true;
  try {
    reserve.fill(0);
    // Some file systems say that they have allocated, and have not.
    if (!reserve.isFull) throw new PbkfsError("Io", { what: "fallocate", errno: ERRNO.EOPNOTSUPP });
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === ERRNO.EDQUOT) {
      // It may be that it never can be, and then nothing could be written.
      gathers = false;
      note =
        "writes are passed on one by one, which is slower: the quota leaves no room for what " +
        "the kernel would gather";
      isKept = false;
    } else if (errno !== ERRNO.ENOSPC) {
      isKept = false;
      const { lowBytes, nearBytes, nearFiles } = limits;
      const keptBytes = plan.reserveBytes;
      limits = { lowBytes: lowBytes + keptBytes, nearBytes: nearBytes + keptBytes, nearFiles };
      note ??=
        `no space can be reserved on the diff's file system (${errnoName(errno)}): if another ` +
        "program fills it, what the kernel has gathered may be lost, which a sync then tells";
    } else if (!gathers) isKept = false;
  }
  if (!isKept) reserve.remove();
  if (!gathers) limits = { lowBytes: 0, nearBytes: 0, nearFiles: 0 };
  if (note !== undefined) tell({ level: "warning", text: note, facts: {} });
  const directory = byteStringOf(pathsIn(diffPath).data);
  const spares = new SpareFiles({ libc, directory, countMax: plan.spareFiles });
  spares.fill();
  return {
    gathers,
    options: {
      limits,
      reserve: isKept ? reserve : undefined,
      spares: plan.spareFiles > 0 ? spares : undefined,
      vital: VITAL as unknown as VitalFiles,
      asks: plan.asks && gathers,
      shared,
      onChange: (change) => tell(noteOf(change)),
      onLost: lossTeller(tell),
    },
  };
}

const MIB = 1 << 20;
/** A disk that refuses everything would fill its own log. */
const TELL_AFTER_MS = 10_000;

/** Tells of bytes that could not be written, not more often than that. */
function lossTeller(tell: (note: Note) => void): NonNullable<RoomOptions["onLost"]> {
  let lostBytes = 0;
  let writes = 0;
  let toldMs = -Infinity;
  return ({ ino, sizeBytes, errno }) => {
    lostBytes += sizeBytes;
    writes++;
    if (performance.now() - toldMs < TELL_AFTER_MS) return;
    toldMs = performance.now();
    const text =
      "writes that the kernel had accepted could not be made; who syncs the file hears of it";
    const facts = {
      errno: errnoName(errno),
      inode: ino,
      writesSoFar: writes,
      bytesSoFar: lostBytes,
    };
    tell({ level: "warning", text, facts });
  };
}

/** What the log says of a change. */
function noteOf({ from, to, left, reserveBytes, errno }: SpaceChange): Note {
  const facts = {
    freeMiB: Math.floor(left.bytes / MIB),
    reserveMiB: Math.floor(reserveBytes / MIB),
    ...(left.files < Infinity && { inodes: left.files }),
  };
  const refused = `writes are refused with ${errnoName(errno)}`;
  switch (to) {
    case "full":
      return {
        level: "warning",
        text: `the diff's file system is full: what was accepted takes reserved space; ${refused}`,
        facts,
      };
    case "low":
      return { level: "warning", text: `space for the diff is low: ${refused}`, facts };
    case "near":
      return from === "room"
        ? { level: "info", text: "space or inodes for the diff are becoming scarce", facts }
        : { level: "info", text: "there is room for the diff again: writes are accepted", facts };
    case "room":
      return { level: "info", text: "there is room for the diff again", facts };
  }
}
