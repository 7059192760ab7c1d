/**
 * Copies WAL out of a store.
 *
 * @module
 */

import { pipeline, Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { PbkfsError } from "../../errors.ts";
import { byteStringOf } from "../../ffi/bytes.ts";
import { OPEN, systemLibc } from "../../ffi/libc.ts";
import { StoreDirectory, StoreRefusal } from "./store_directory.ts";
import { storeDamaged } from "./store_error.ts";
import type { WalFile, WalPlan } from "./wal_file.ts";

/** Who shall own the copies. */
export interface WalOwner {
  readonly uid: number;
  readonly gid: number;
}

const OWNER_ONLY = 0o600;
/** What PostgreSQL gives to the group of a cluster with group access; never more. */
const GROUP_ACCESS = 0o040;
/** Of the history of a timeline. */
export const HISTORY_BYTES_MAX = 1024 * 1024;
/** What a gzip file has besides data, with a name in it. */
const GZIP_BYTES_MAX = 64 * 1024;

/**
 * Writes the files of a plan into an existing directory. Each gets its name only when it is
 * complete and on disk, and replaces a file of that name.
 *
 * @throws {PbkfsError} `StoreDamaged` if a file cannot be unpacked, or a segment has another
 * length; `WalMissing` if it has gone since it was planned.
 */
export async function copyWal(plan: WalPlan, dirPath: string, owner?: WalOwner): Promise<void> {
  for (const file of plan.files) {
    const targetPath = `${dirPath}/${file.name}`;
    const unfinishedPath = `${targetPath}.unfinished`;
    try {
      await writeCopy(file, unfinishedPath, owner);
      await Deno.rename(unfinishedPath, targetPath);
    } catch (error) {
      await Deno.remove(unfinishedPath).catch(() => {});
      throw error;
    }
  }
  using dir = await Deno.open(dirPath, { read: true });
  await dir.sync();
}

/** Reads a file whole. @throws {PbkfsError} `StoreDamaged`, also if it is longer than that. */
export async function readWal(file: WalFile, sizeBytesMax: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of chunksOf(file)) {
    size += chunk.length;
    if (size > sizeBytesMax) {
      throw storeDamaged(`"${file.sourcePath}" has more than ${sizeBytesMax} bytes`);
    }
    chunks.push(chunk);
  }
  return new Uint8Array(await new Blob(chunks as BlobPart[]).arrayBuffer());
}

async function writeCopy(
  file: WalFile,
  path: string,
  owner: WalOwner | undefined,
): Promise<void> {
  using target = await makeFile(path, owner, OWNER_ONLY | ((file.mode ?? 0) & GROUP_ACCESS));
  let size = 0;
  for await (const chunk of chunksOf(file)) {
    size += chunk.length;
    if (size > (file.sizeBytes ?? Infinity)) break;
    for (let at = 0; at < chunk.length;) at += await target.write(chunk.subarray(at));
  }
  if (file.sizeBytes !== undefined && size !== file.sizeBytes) {
    const found = size > file.sizeBytes ? "more" : `${size}`;
    throw storeDamaged(
      `WAL file "${file.sourcePath}" gives ${found} bytes, expected ${file.sizeBytes}`,
    );
  }
  await target.sync();
}

/** Makes a file that is not there, and gives it away by its descriptor. */
async function makeFile(
  path: string,
  owner: WalOwner | undefined,
  mode: number,
): Promise<Deno.FsFile> {
  await Deno.remove(path).catch(() => {});
  const libc = systemLibc();
  const flags = OPEN.readWrite | OPEN.create | OPEN.exclusive | OPEN.noFollow;
  const fd = libc.open(byteStringOf(path), flags, OWNER_ONLY);
  try {
    libc.fchmod(fd, mode);
    if (owner !== undefined) libc.fchown(fd, owner);
    return await Deno.open(`/proc/self/fd/${fd}`, { write: true });
  } finally {
    libc.close(fd);
  }
}

/** The content of a file, unpacked, in pieces. */
async function* chunksOf(file: WalFile): AsyncGenerator<Uint8Array> {
  let source: Deno.FsFile;
  try {
    source = openSource(file.sourcePath);
  } catch (error) {
    if (error instanceof StoreRefusal) {
      throw storeDamaged(`WAL file "${file.sourcePath}" ${error.message}`, error);
    }
    throw new PbkfsError("WalMissing", {
      what: `Cannot open WAL file "${file.sourcePath}": ${(error as Error).message}`,
      todo: "Choose another backup, or restore the file to where it was.",
      cause: error,
    });
  }
  if (!file.isGzip) {
    yield* source.readable;
    return;
  }
  const packedBytes = (await source.stat()).size;
  // Deflate never makes data noticeably longer.
  if (packedBytes > 2 * (file.sizeBytes ?? HISTORY_BYTES_MAX) + GZIP_BYTES_MAX) {
    source.close();
    throw storeDamaged(`WAL file "${file.sourcePath}" has ${packedBytes} bytes, but is packed`);
  }
  try {
    yield* unpacked(source);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw storeDamaged(`WAL file "${file.sourcePath}" cannot be unpacked: ${why}`, error);
  }
}

/**
 * What a gzip file holds: one member or several, one after another, and nothing behind them.
 *
 * @see RFC 1952, 2.2
 */
async function* unpacked(source: Deno.FsFile): AsyncGenerator<Uint8Array> {
  const { size } = await source.stat();
  const gunzip = createGunzip();
  // Who stops early closes the file as well. Errors come out of the loop.
  pipeline(Readable.from(source.readable), gunzip, () => {});
  yield* gunzip;
  // It ends before what does not begin like a member, if that begins with a zero byte.
  const left = size - gunzip.bytesWritten;
  if (left > 0) throw new RangeError(`${left} bytes follow the end of what is packed`);
}

/** What lies there is for its owner: the archive, or the directory of the backup. */
function openSource(path: string): Deno.FsFile {
  const slash = path.lastIndexOf("/");
  using directory = StoreDirectory.open(path.slice(0, slash));
  return directory.stream(path.slice(slash + 1));
}
