/**
 * The plan for the space that a mount keeps of its diff's file system, so that a full disk is
 * what it is elsewhere: the write that does not fit fails, and what was accepted before is kept.
 *
 * @module
 */

import { byteStringOf } from "../ffi/bytes.ts";
import { readField } from "../ffi/layout.ts";
import { type Libc, OPEN, STATVFS } from "../ffi/libc.ts";
import { allocate } from "../ffi/memory.ts";
import type { SpaceLimits } from "../overlay/mod.ts";
import { canLowerDirtyLimit, dirtyLimitBytes } from "./dirty_limit.ts";

/** What to keep, and how much to accept. */
export interface SpacePlan {
  /** Let the kernel gather writes. */
  readonly gathers: boolean;
  /** Have the kernel ask before a write when space is low. */
  readonly asks: boolean;
  /** Lower the kernel's limit to that. */
  readonly dirtyBytes?: number;
  readonly reserveBytes: number;
  readonly limits: SpaceLimits;
  readonly spareFiles: number;
  /** For the operator: why it is slower here. */
  readonly note?: string;
}

const MIB = 1 << 20;
/** What file systems give out: most of them, blocks of 4 KiB. */
const DISK_BLOCK_SIZE_BYTES = 4096;
/** Files that can be made for accepted writes when no inode is left. */
const SPARE_FILES = 256;
/** What commits and the file system's own structures take besides. */
const MARGIN_BYTES = 2 * MIB;

/** What a plan depends on. */
export interface SpaceFacts {
  /** Size of the file system. */
  readonly totalBytes: number;
  /** Inodes of it; 0 if they are not counted. */
  readonly totalFiles: number;
  /** What the kernel gathers, and whether we may lower that. */
  readonly dirtyBytes: number;
  readonly canLower: boolean;
  /** Whether the kernel can be made to ask before a write. */
  readonly kernelAsks: boolean;
}

/** Makes a plan. */
export function planSpace(facts: SpaceFacts): SpacePlan {
  const { totalBytes, totalFiles, canLower } = facts;
  const wantedBytes = Math.max(4 * MIB, Math.min(totalBytes / 32, 32 * MIB), totalBytes / 1024);
  const isLower = canLower && wantedBytes < facts.dirtyBytes;
  const dirtyBytes = Math.floor(isLower ? wantedBytes : facts.dirtyBytes);
  // A page of ours has two of the kernel's: of one that is written in half, the rest is needed, too.
  const reserveBytes = 2 * dirtyBytes + MARGIN_BYTES;
  const gathers = reserveBytes <= totalBytes / 4;
  const keptBytes = gathers ? reserveBytes : Math.min(MARGIN_BYTES, totalBytes / 16);
  const lowBytes = gathers ? Math.min(Math.max(MIB, totalBytes / 64), 20 * MIB) : 0;
  return {
    gathers,
    asks: gathers && facts.kernelAsks,
    ...(isLower && gathers && { dirtyBytes }),
    reserveBytes: Math.floor(keptBytes / DISK_BLOCK_SIZE_BYTES) * DISK_BLOCK_SIZE_BYTES,
    limits: {
      lowBytes,
      nearBytes: gathers ? Math.min(lowBytes + reserveBytes, totalBytes / 4) : 0,
      nearFiles: Math.min(8192, Math.floor(totalFiles / 8)),
    },
    spareFiles: gathers ? SPARE_FILES : 0,
    ...(!gathers && { note: tooSmall(reserveBytes) }),
  };
}

/** The facts of a diff on this machine. */
export function spaceFacts(diffPath: string, libc: Libc): SpaceFacts {
  const status = allocate(256);
  const fd = libc.open(byteStringOf(diffPath), OPEN.readOnly | OPEN.directory);
  try {
    libc.fstatvfs(fd, status.address);
  } finally {
    libc.close(fd);
  }
  const field = (name: keyof typeof STATVFS) =>
    Number(status.view.getBigUint64(STATVFS[name].at, true));
  return {
    totalBytes: field("blocks") * readField(status.view, STATVFS.fragmentBytes),
    totalFiles: field("files"),
    dirtyBytes: dirtyLimitBytes(),
    canLower: canLowerDirtyLimit(),
    kernelAsks: kernelAsks(Deno.osRelease()),
  };
}

/**
 * Linux 5.16 learned to ask for some attributes only. A kernel before asks for all of them, also for
 * `lseek`, which then would fail as well. Source: fuse_update_attributes().
 */
export function kernelAsks(release: string): boolean {
  const [major = 0, minor = 0] = release.split(".").map((part) => parseInt(part));
  return major > 5 || (major === 5 && minor >= 16);
}

function tooSmall(reserveBytes: number): string {
  return "writes are passed on one by one, which is slower: the diff's file system is too small to " +
    `keep ${Math.ceil(reserveBytes / MIB)} MiB of it for writes that the kernel has gathered`;
}
