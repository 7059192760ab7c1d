/**
 * What the overlay itself costs, without FUSE: reads of a warm 8 KiB page, an aligned write, a
 * commit; each beside the same through `pread` and `pwrite` on a plain file, by the same FFI.
 *
 * @module
 */

import { byteStringOf } from "../ffi/bytes.ts";
import { OPEN, systemLibc } from "../ffi/libc.ts";
import { allocate } from "../ffi/memory.ts";
import type { Request } from "../fuse/mod.ts";
import { type OpenedOverlay, openOverlay } from "./support/open_overlay.ts";
import { inPairs, type Measure } from "./support/pairs.ts";
import { report, type Row } from "./support/report.ts";

const PAGE_SIZE_BYTES = 8192;
const ROUNDS = 2000;
const PAIRS = 15;
const NO_REQUEST = 0 as Request;

const libc = systemLibc();
const page = allocate(PAGE_SIZE_BYTES);

/** Microseconds that one call takes, in the mean of many. */
function microseconds(call: (round: number) => void, rounds = ROUNDS): number {
  const start = performance.now();
  for (let round = 0; round < rounds; round++) call(round);
  return (performance.now() - start) * 1000 / rounds;
}

/** Positions all over a file, in an order that is no pattern. */
function position(round: number, pages: number): number {
  return (round * 7919 % pages) * PAGE_SIZE_BYTES;
}

/** A plain file with as many pages as the largest of the base. */
function plainFile({ dirPath, largest }: OpenedOverlay) {
  const flags = OPEN.readWrite | OPEN.create;
  const fd = libc.open(byteStringOf(`${dirPath}/plain`), flags, 0o600);
  for (let at = 0; at < largest.sizeBytes; at += PAGE_SIZE_BYTES) {
    libc.pwrite(fd, page.address, { offsetBytes: at, sizeBytes: PAGE_SIZE_BYTES });
  }
  return fd;
}

async function measure(opened: OpenedOverlay, label: string, onlyRead: boolean): Promise<Row[]> {
  const { overlay, largest } = opened;
  const pages = Math.floor(largest.sizeBytes / PAGE_SIZE_BYTES);
  const fd = plainFile(opened);
  const range = (round: number) => ({
    offsetBytes: position(round, pages),
    sizeBytes: PAGE_SIZE_BYTES,
  });
  const read: Measure = () =>
    microseconds((round) => void overlay.read(largest.ino, range(round), page));
  const write: Measure = () =>
    microseconds((round) => overlay.write(largest.ino, page.address, range(round)));
  const pread: Measure = () =>
    microseconds((round) => void libc.pread(fd, page.address, range(round)));
  const pwrite: Measure = () =>
    microseconds((round) => libc.pwrite(fd, page.address, range(round)));
  const commit: Measure = () =>
    microseconds((round) => {
      overlay.write(largest.ino, page.address, range(round));
      overlay.sync(largest.ino, NO_REQUEST, { dataOnly: false });
    }, 50);
  const sync: Measure = () =>
    microseconds((round) => {
      libc.pwrite(fd, page.address, range(round));
      libc.fdatasync(fd);
    }, 50);
  const row = async (what: string, ours: Measure, against: string, other: Measure, aim = "") => ({
    what,
    against,
    unit: "µs",
    figures: await inPairs({ ours, other }, PAIRS),
    aim,
  });
  const rows = [await row(`read a warm page of the base, ${label}`, read, "pread", pread)];
  if (!onlyRead) {
    rows.push(await row("write a page, aligned", write, "pwrite", pwrite));
    rows.push(await row("read that page from the diff", read, "pread", pread, "+2 µs"));
    rows.push(await row("write a page and commit", commit, "pwrite, fdatasync", sync));
  }
  libc.close(fd);
  return rows;
}

const rows: Row[] = [];
{
  await using raw = await openOverlay("mixed-compression", { backupId: "TOTLAD" });
  rows.push(...await measure(raw, "raw", true));
}
{
  await using portable = await openOverlay("zlib-chain", { systemCodecs: false });
  rows.push(...await measure(portable, "zlib by pako", true));
}
{
  await using zlib = await openOverlay("zlib-chain");
  rows.push(...await measure(zlib, "zlib by a library of the system", false));
}
report("overlay", rows);
