/**
 * A disk's tree as an ordinary directory.
 *
 * @module
 */

import { TYPE } from "../../../ffi/file_type.ts";
import { type Bytes, DISK_PAGE_SIZE_BYTES, DiskFile } from "./disk_file.ts";
import { Disk, DiskDirectory, type DiskNode, type LeftNode } from "./disk.ts";

/** A disk with the content of a directory, all of it durable. Sockets and the like are left out. */
export function loadImage(path: string): Disk {
  const disk = new Disk();
  const load = (directory: DiskNode, below: string): void => {
    for (const { name } of Deno.readDirSync(below)) {
      const from = `${below}/${name}`;
      const status = Deno.lstatSync(from);
      const of = (type: number) => ({
        mode: type | ((status.mode ?? 0) & 0o7777),
        uid: status.uid ?? 0,
        gid: status.gid ?? 0,
      });
      let node: DiskNode;
      if (status.isDirectory) {
        const body = { kind: "directory" as const, directory: new DiskDirectory() };
        node = disk.make(body, of(TYPE.directory));
      } else if (status.isSymlink) {
        const target = Deno.readLinkSync(from);
        node = disk.make({ kind: "symlink", target }, of(TYPE.symlink));
      } else if (status.isFile) {
        const file = new DiskFile(bytesOf(Deno.readFileSync(from)));
        node = disk.make({ kind: "file", file }, of(TYPE.file));
      } else continue;
      disk.change([{ directory, name, node }]);
      disk.sync(node);
      if (status.isDirectory) load(node, from);
    }
  };
  load(disk.root, path);
  return disk;
}

/** Writes what a power cut has left to a directory that does not exist. */
export function saveImage(left: LeftNode, path: string): void {
  const saved = new Map<DiskNode, string>();
  const save = ({ node, bytes, names }: LeftNode, to: string): void => {
    const { body, mode, uid, gid } = node;
    const other = saved.get(node);
    if (other !== undefined) return Deno.linkSync(other, to);
    saved.set(node, to);
    if (names !== undefined) {
      Deno.mkdirSync(to);
      for (const [name, child] of names) save(child, `${to}/${name}`);
    } else if (bytes !== undefined) {
      saveBytes(bytes, to);
    } else if (body.kind === "symlink") {
      Deno.symlinkSync(body.target, to);
      return;
    } else return;
    Deno.chownSync(to, uid, gid);
    Deno.chmodSync(to, mode & 0o7777);
  };
  save(left, `${path}.unfinished`);
  Deno.renameSync(`${path}.unfinished`, path);
}

function bytesOf(content: Uint8Array): Bytes {
  const pages = new Map<number, Uint8Array>();
  for (let at = 0; at < content.length; at += DISK_PAGE_SIZE_BYTES) {
    const piece = content.subarray(at, at + DISK_PAGE_SIZE_BYTES);
    if (piece.every((byte) => byte === 0)) continue;
    const page = new Uint8Array(DISK_PAGE_SIZE_BYTES);
    page.set(piece);
    pages.set(at / DISK_PAGE_SIZE_BYTES, page);
  }
  return { sizeBytes: content.length, pages };
}

function saveBytes({ sizeBytes, pages }: Bytes, to: string): void {
  using file = Deno.openSync(to, { write: true, createNew: true });
  for (const [page, bytes] of pages) {
    const at = page * DISK_PAGE_SIZE_BYTES;
    if (at >= sizeBytes) continue;
    file.seekSync(at, Deno.SeekMode.Start);
    const piece = bytes.subarray(0, sizeBytes - at);
    for (let done = 0; done < piece.length;) done += file.writeSync(piece.subarray(done));
  }
  file.truncateSync(sizeBytes);
}
