import assert from "node:assert/strict";
import fc from "fast-check";
import { bytesOf, type ByteString, byteString } from "../../../ffi/bytes.ts";
import { PbkfsError } from "../../../errors.ts";
import { HandStore } from "../../../testing/backup/hand_store.ts";
import { type ContentLine, hashName } from "./content_line.ts";
import { type BadLine, scanContentList } from "./content_list.ts";
import { crc32c } from "../../tree/crc32c.ts";
import type { Row } from "../../tree/path_list.ts";
import { PathTable } from "./path_table.ts";
import { isSafePath } from "./list_file.ts";

interface Seen {
  path: string;
  [key: string]: unknown;
}

const NUMBERS = [
  "pathHash",
  "sizeBytes",
  "mode",
  "isDataFile",
  "isCfs",
  "isPartialCopy",
  "crc",
  "codecHash",
  "externalNumber",
  "blockCount",
  "headerCount",
  "headerCrc",
  "headerOffsetBytes",
  "headerSizeBytes",
] as const;

/** Scans a text, of which no more than `portion` bytes are read at a time. */
function scanText(
  text: string,
  take: (line: ContentLine, bytes: Uint8Array) => void,
  portion = Infinity,
): BadLine | undefined {
  const bytes = bytesOf(text as ByteString);
  let at = 0;
  return scanContentList((target) => {
    const part = bytes.subarray(at, at + Math.min(portion, target.length));
    target.set(part);
    at += part.length;
    return part.length;
  }, (line, _, bytes) => take(line, bytes));
}

function scan(text: string, portion = Infinity): Seen[] {
  const seen: Seen[] = [];
  const bad = scanText(text, (line, bytes) => {
    const { pathStart, pathEnd, codecStart, codecEnd } = line;
    const facts = Object.fromEntries(NUMBERS.map((name) => [name, line[name]] as const));
    const path = byteString(bytes.subarray(pathStart, pathEnd));
    assert.equal(facts["pathHash"], hashPath(path));
    seen.push({ ...facts, path, codec: byteString(bytes.subarray(codecStart, codecEnd)) });
  }, portion);
  if (bad !== undefined) throw new Error(`${bad.line} ${bad.reason}`);
  return seen;
}

const LINE = '{"path":"base/5/16497", "size":"115", "mode":"33152", "is_datafile":"1", ' +
  '"is_cfs":"0", "crc":"1094295195", "compress_alg":"zlib", "external_dir_num":"0", ' +
  '"dbOid":"5","full_size":"8192","segno":"0","n_blocks":"1","n_headers":"2",' +
  '"hdr_crc":"886276124","hdr_off":"3","hdr_size":"23"}\n';

Deno.test("a line of a file list, as pg_probackup writes it [FR-118]", () => {
  assert.deepEqual(scan(LINE), [{
    path: "base/5/16497",
    pathHash: hashPath("base/5/16497" as ByteString),
    sizeBytes: 115,
    mode: 0o100600,
    isDataFile: true,
    isCfs: false,
    isPartialCopy: false,
    crc: 1094295195,
    codec: "zlib",
    codecHash: hashName("zlib"),
    externalNumber: 0,
    blockCount: 1,
    headerCount: 2,
    headerCrc: 886276124,
    headerOffsetBytes: 3,
    headerSizeBytes: 23,
  }]);
});

Deno.test("what JSON would not read: backslashes, control characters, any bytes [FR-118]", () => {
  for (const path of ["back\\slash", "tab\there", "\u00ff\u0080", "a}b, c{", "\\u0041", "a:b"]) {
    const [seen] = scan(`{"path":"${path}", "size":"0", "mode":"33152"}\n`);
    assert.equal(seen?.path, path);
  }
});

Deno.test("sizes of -1, also as early versions print it, and unknown keys [FR-118]", () => {
  const size = (text: string) =>
    scan(`{"path":"a","later":"x y","size":"${text}"}\n`)[0]!.sizeBytes;
  assert.equal(size("-1"), -1);
  assert.equal(size("18446744073709551615"), -1);
  assert.equal(size("1099511627776"), 2 ** 40);
});

Deno.test("a line that cannot be read is named [FR-118]", () => {
  const bad = [
    "",
    "path",
    "{",
    "{}",
    '{"path":"a"}',
    '{"size":"1"}',
    '{"path":"","size":"1"}',
    '{"path":"a","size":"-2"}',
    '{"path":"a","size":"x"}',
    '{"path":"a","size":""}',
    '{"path":"a","size":"1" "mode":"1"}',
    '{"path":"a,"size":"1"}',
    '{"path":"a","size":"1"',
    '{"path":"a","size":"1"} x',
    '{"path":"a","size":"1","mode":"4294967296"}',
    '{"path":"a","size":"1","is_datafile":"2"}',
    '{"path":"a","size":"1","n_headers":"-1"}',
    '{"path":"a","size":"99999999999999999"}',
    `{"path":"${"a".repeat(8200)}","size":"1"}`,
  ];
  for (const text of bad) assert.throws(() => scan(`${LINE}${text}\n${LINE}`), /^Error: 2 /, text);
  assert.throws(() => scan(LINE.slice(0, -1)), /cut off/);
});

/** Values that a list can hold: no quote, no newline. */
const paths = fc.array(fc.integer({ min: 1, max: 255 }), { minLength: 1, maxLength: 30 })
  .map((bytes) => byteString(Uint8Array.from(bytes)).replace(/["\n]/g, "_"));

Deno.test("whatever a list says is read back [FR-118]", () => {
  const entry = fc.record({
    path: paths,
    size: fc.integer({ min: -1, max: 2 ** 31 }),
    mode: fc.nat(0xffff),
    n_blocks: fc.nat(),
    separator: fc.constantFrom(", ", ","),
  });
  const portions = fc.constantFrom(1, 7, 100, Infinity);
  fc.assert(fc.property(fc.array(entry, { maxLength: 20 }), portions, (entries, portion) => {
    const text = entries.map(({ path, size, mode, n_blocks, separator }) =>
      `{${
        [`"path":"${path}"`, `"size":"${size}"`, `"mode":"${mode}"`, `"n_blocks":"${n_blocks}"`]
          .join(separator)
      }}\n`
    ).join("");
    assert.deepEqual(
      scan(text, portion).map((
        { path, sizeBytes, mode, blockCount },
      ) => [path, sizeBytes, mode, blockCount]),
      entries.map(({ path, size, mode, n_blocks }) => [path, size, mode, n_blocks]),
    );
  }));
});

Deno.test("no bytes whatever confuse the scanner [FR-118]", () => {
  const pieces = fc.constantFrom(
    ...'{}":, \n-19\\',
    "path",
    "size",
    "x",
    '{"path":"a"',
    '"size":"1"',
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 40 }), (parts) => {
      scanText(parts.join(""), () => {});
    }),
    { numRuns: 500 },
  );
});

Deno.test("paths are found again among many, by bytes and external directory [FR-118]", () => {
  const key = fc.record({ path: paths, external: fc.nat(3) });
  const many = fc.uniqueArray(key, {
    selector: ({ path, external }) => `${external} ${path}`,
    maxLength: 3000,
    size: "max",
  });
  fc.assert(
    fc.property(many, (keys) => {
      const table = new PathTable();
      const asLine = ({ path, external }: { path: string; external: number }) => ({
        pathStart: 0,
        pathEnd: path.length,
        pathHash: hashPath(path as ByteString),
        externalNumber: external,
      });
      keys.forEach((key, row) => {
        assert.equal(table.add(bytesOf(key.path as ByteString), asLine(key)), row);
      });
      keys.forEach((key, row) => {
        const bytes = bytesOf(key.path as ByteString);
        assert.equal(table.add(bytes, asLine(key)), undefined);
        assert.equal(table.find(bytes, asLine(key)), row);
        assert.equal(table.find(bytes, asLine({ ...key, external: 9 })), undefined);
      });
      const list = table.list();
      assert.equal(list.count, keys.length);
      keys.forEach(({ path, external }, row) => {
        assert.equal(list.path(row as Row), path);
        assert.equal(list.external(row as Row), external);
        if (external === 0) assert.equal(list.rowOf(path as ByteString), row);
      });
    }),
    { numRuns: 10 },
  );
});

Deno.test("CRC32C: the check value, and the same however the bytes are cut [FR-119]", () => {
  assert.equal(crc32c(bytesOf("123456789" as ByteString)), 0xe3069283);
  assert.equal(crc32c(new Uint8Array()), 0);
  assert.equal(crc32c(new Uint8Array(32)), 0x8a9136aa);
  fc.assert(fc.property(fc.uint8Array({ maxLength: 70 }), fc.nat(7), (bytes, shift) => {
    const moved = new Uint8Array(bytes.length + shift);
    moved.set(bytes, shift);
    assert.equal(crc32c(moved.subarray(shift)), naiveCrc(bytes));
  }));
});

function naiveCrc(bytes: Uint8Array): number {
  let crc = -1;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}

Deno.test("paths that lead elsewhere are no paths [FR-119]", () => {
  const isSafe = (path: string) =>
    isSafePath(bytesOf(`/..${path}..` as ByteString), { pathStart: 3, pathEnd: 3 + path.length });
  for (const path of ["a", "a/b", "..a", "a..", "a.b/.c", "..."]) {
    assert(isSafe(path), path);
  }
  for (const path of ["", "/", "/a", "a/", "a//b", ".", "..", "a/..", "../a", "a/./b", "a\0"]) {
    assert(!isSafe(path), path);
  }
});

const REFUSED: [string, (list: string) => string, RegExp][] = [
  ["..", (list) => `${list}{"path":"base/../x","size":"0","mode":"33152"}\n`, /base\/\.\.\/x/],
  [
    "an absolute path",
    (list) => `${list}{"path":"/x","size":"0","mode":"33152"}\n`,
    /Line 4 .*\/x/,
  ],
  [
    "a comma before a letter",
    (list) => `${list}{"path":"a,b","size":"0","mode":"33152"}\n`,
    /comma/,
  ],
  ["one path twice", (list) => list + list, /listed twice/],
  ["a link", (list) => `${list}{"path":"l","size":"0","mode":"41471"}\n`, /regular file/],
  [
    "a file inside a file",
    (list) =>
      `${list}{"path":"f","size":"0","mode":"33152"}\n{"path":"f/g","size":"0","mode":"33152"}\n`,
    /"f"/,
  ],
  [
    "an unknown codec",
    (list) => `${list}{"path":"f","size":"9","mode":"33152","compress_alg":"lzo"}\n`,
    /"lzo"/,
  ],
  [
    "an unchanged file in a FULL",
    (list) => `${list}{"path":"f","size":"-1","mode":"33152"}\n`,
    /FULL/,
  ],
  ["no pg_control", (list) => list.replace("pg_control", "other"), /pg_control/],
  [
    "an unknown external directory",
    (list) => `${list}{"path":"f","size":"0","mode":"33152","external_dir_num":"1"}\n`,
    /external directory 1/,
  ],
  [
    "part of a CFS file",
    (list) => `${list}{"path":"f","size":"9","mode":"33152","is_cfs":"1","is_partial_copy":"1"}\n`,
    /part of/,
  ],
  ["a line cut off", (list) => list.slice(0, -2), /cut off/],
];
for (const [what, editList, message] of REFUSED) {
  Deno.test(`a file list with ${what} is refused [FR-119]`, async () => {
    await using store = await HandStore.make();
    await store.add({ editList });
    await assert.rejects(store.open(), (error) => {
      assert(error instanceof PbkfsError);
      assert.match(error.message, message);
      assert.match(error.code, /^(StoreDamaged|VersionUnsupported|CodecUnsupported)$/);
      return true;
    });
  });
}

Deno.test("a list that does not fit its CRC, or is missing, is refused [FR-119]", async () => {
  await using store = await HandStore.make();
  const bad = await store.add({ control: { "content-crc": 12345 } });
  await assert.rejects(store.open(bad), /CRC of ".*backup_content.control" is \d+.* 12345/);
  for (const unchecked of [undefined, 0]) {
    const base = await store.open(await store.add({ control: { "content-crc": unchecked } }));
    base.close();
  }
  const missing = await store.add({});
  await Deno.remove(`${store.dirOf(missing)}/backup_content.control`);
  await assert.rejects(store.open(missing), { code: "StoreDamaged" });
});

Deno.test("a file that is lost on the way to its last change is refused [FR-119]", async () => {
  await using store = await HandStore.make();
  const full = await store.add({});
  const child = await store.add({
    mode: "DELTA",
    parent: full,
    files: [{ path: "PG_VERSION", keys: { size: -1 } }],
  });
  await assert.rejects(store.open(child), /"PG_VERSION" is unchanged since backup \w+, but/);
});

/** The number that the scanner gives to a path. */
function hashPath(path: ByteString): number {
  let hash = 0;
  for (let at = 0; at < path.length; at++) {
    hash = (Math.imul(hash, 31) + path.charCodeAt(at)) | 0;
  }
  return hash;
}
