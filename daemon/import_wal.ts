/**
 * Puts WAL files into the tree of a new diff, for mounts that keep `pg_wal` inside.
 *
 * @module
 */

import { existsSync } from "node:fs";
import { type ByteString, byteStringOf } from "../ffi/bytes.ts";
import { TYPE } from "../ffi/file_type.ts";
import { type Libc, OPEN } from "../ffi/libc.ts";
import { allocate } from "../ffi/memory.ts";
import { openDiffFile } from "../ffi/open_beneath.ts";
import { PbkfsError } from "../errors.ts";
import { type Ino, ROOT_INO } from "../fuse/mod.ts";
import type { Overlay } from "../overlay/mod.ts";

const CHUNK_SIZE_BYTES = 1 << 20;

/**
 * Moves the files of a directory of the diff to `pg_wal`: they become files of the tree like any
 * other, with their bytes in one place. The directory goes when all is durable; if it is there, a
 * crash came before that, no server has run, and it is done again.
 */
export function importWal(overlay: Overlay, options: {
  readonly libc: Libc;
  readonly fromPath: string;
  readonly owner: { readonly uid: number; readonly gid: number };
}): void {
  const { libc, fromPath, owner } = options;
  if (!existsSync(fromPath)) return;
  const directory = overlay.lookup({ parent: ROOT_INO, name: "pg_wal" as ByteString });
  if (directory === undefined) {
    throw new PbkfsError("StoreDamaged", {
      what: "The backup's file list has no directory pg_wal",
      todo: "Run pg_probackup validate on this backup.",
    });
  }
  const buffer = allocate(CHUNK_SIZE_BYTES);
  for (const { name } of Deno.readDirSync(fromPath)) {
    const place = { parent: directory.ino, name: byteStringOf(name) };
    const mode = TYPE.file | ((Deno.lstatSync(`${fromPath}/${name}`).mode ?? 0) & 0o777);
    const node = { mode, rdev: 0, caller: owner };
    const known = overlay.lookup(place);
    if (known !== undefined) {
      overlay.unlink(place);
      overlay.forget(known.ino, 1);
    }
    const { ino } = overlay.makeNode(place, node);
    const fd = openDiffFile(libc, byteStringOf(`${fromPath}/${name}`), OPEN.readOnly);
    try {
      copy(ino, fd);
    } finally {
      libc.close(fd);
    }
    overlay.forget(ino, 1);
  }
  overlay.forget(directory.ino, 1);
  overlay.flush();
  Deno.removeSync(fromPath, { recursive: true });

  function copy(ino: Ino, fd: ReturnType<Libc["open"]>): void {
    for (let at = 0;;) {
      const range = { offsetBytes: at, sizeBytes: CHUNK_SIZE_BYTES };
      const done = libc.pread(fd, buffer.address, range);
      if (done === 0) return;
      overlay.write(ino, buffer.address, { offsetBytes: at, sizeBytes: done });
      at += done;
    }
  }
}
