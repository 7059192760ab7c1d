/**
 * Stores the pages of a recorded backup with another codec, as a program that knows it would.
 *
 * @module
 */

import { deflate, inflate } from "pako";
import type { Codec } from "../../backup/tree/base_tree.ts";
import { encodePage } from "./encode_page.ts";
import { handHeaders, type HandRecord, handStream } from "./hand_store.ts";
import { crc32c } from "../../backup/tree/crc32c.ts";
import { decodePglz } from "../../backup/tree/pglz.ts";

/** Rewrites stored data files, file list, `page_header_map` and CRC of one backup. */
export async function reencode(dirPath: string, codec: Codec): Promise<void> {
  const map: Uint8Array[] = [];
  let mapBytes = 0;
  const lines = (await Deno.readTextFile(`${dirPath}/backup_content.control`)).split("\n");
  for (const [at, line] of lines.entries()) {
    const keys = new Map([...line.matchAll(/"(\w+)":"([^"]*)"/g)].map((m) => [m[1]!, m[2]!]));
    if (keys.get("is_datafile") !== "1" || Number(keys.get("size")) <= 0) continue;
    const path = `${dirPath}/database/${keys.get("path")}`;
    const records = readRecords(await Deno.readFile(path), keys.get("compress_alg") as Codec)
      .map(({ block, payload }) => ({ block, payload: encodePage(codec, payload) }));
    const { stored, positions } = handStream(records, { padded: false });
    await Deno.writeFile(path, stored);
    const headers = handHeaders(records, positions);
    const region = deflate(headers, { level: 1 });
    keys.set("size", `${stored.length}`).set("crc", `${crc32c(stored)}`);
    keys.set("compress_alg", codec).set("hdr_crc", `${crc32c(headers)}`);
    keys.set("hdr_off", `${mapBytes}`).set("hdr_size", `${region.length}`);
    map.push(region);
    mapBytes += region.length;
    lines[at] = `{${[...keys].map(([key, value]) => `"${key}":"${value}"`).join(", ")}}`;
  }
  const list = lines.join("\n");
  await Deno.writeTextFile(`${dirPath}/backup_content.control`, list);
  await Deno.writeFile(
    `${dirPath}/page_header_map`,
    new Uint8Array(await new Blob(map as BlobPart[]).arrayBuffer()),
  );
  const control = await Deno.readTextFile(`${dirPath}/backup.control`);
  const crc = crc32c(new TextEncoder().encode(list));
  await Deno.writeTextFile(
    `${dirPath}/backup.control`,
    control.replace(/^content-crc = .*$/m, `content-crc = ${crc}`)
      .replace(/^compress-alg = .*$/m, `compress-alg = ${codec}`),
  );
}

/** The pages of a stored file of 2.4.0 or later. */
function readRecords(stored: Uint8Array, codec: Codec): HandRecord[] {
  const view = new DataView(stored.buffer, stored.byteOffset, stored.length);
  const records: HandRecord[] = [];
  for (let at = 0; at < stored.length;) {
    const block = view.getUint32(at, true);
    const sizeBytes = view.getInt32(at + 4, true);
    const payload = stored.subarray(at + 8, at + 8 + sizeBytes);
    at += 8 + sizeBytes;
    if (sizeBytes === 8192) records.push({ block, payload });
    else if (codec === "zlib") records.push({ block, payload: inflate(payload) });
    else {
      const page = new Uint8Array(8192);
      if (!decodePglz(payload, page)) throw new Error("The fixture is damaged");
      records.push({ block, payload: page });
    }
  }
  return records;
}
