import assert from "node:assert/strict";
import { type Code, PbkfsError } from "../../../errors.ts";
import type { ByteString } from "../../../ffi/bytes.ts";
import {
  type HandFile,
  handPage,
  type HandRecord,
  HandStore,
} from "../../../testing/backup/hand_store.ts";
import { encodePage } from "../../../testing/backup/encode_page.ts";
import { unpackFixture } from "../../../tests/support/fixtures.ts";
import { loadCodecs, openChain, readFile, resolveChain } from "../../mod.ts";

const PATH = "base/16384" as ByteString;

function records(): HandRecord[] {
  return [0, 1, 2].map((block) => ({ block, payload: encodePage("zlib", handPage(block)) }));
}

interface Damage {
  readonly what: string;
  readonly version?: string;
  readonly file: (store: HandStore) => HandFile;
  /** Changes the backup's directory when all is written. */
  readonly after?: (dirPath: string) => Promise<void>;
  readonly message: RegExp;
  readonly code?: Code;
}

/** Replaces bytes of a stored file. */
async function patch(path: string, at: number, bytes: readonly number[]): Promise<void> {
  using file = await Deno.open(path, { write: true });
  await file.seek(at, Deno.SeekMode.Start);
  await file.write(Uint8Array.from(bytes));
}

const firstSize = records()[0]!.payload.length;

const DAMAGES: readonly Damage[] = [
  {
    what: "a payload that is garbage",
    file: (store) =>
      store.paged(PATH, [records()[0]!, { block: 1, payload: new Uint8Array(90).fill(3) }]),
    message: /block 1 of "base\/16384": in backup \w+ its record of 90 bytes is no page in zlib/,
  },
  {
    what: "a payload of another page size",
    file: (store) =>
      store.paged(PATH, [{ block: 0, payload: encodePage("zlib", new Uint8Array(9000)) }]),
    message: /block 0 of "base\/16384".* no page in zlib/,
  },
  {
    what: "a short payload that is not compressed",
    file: (store) => store.paged(PATH, records(), { compress_alg: "none" }),
    message: /block 0 of "base\/16384".* no compress_alg/,
  },
  {
    what: "a stored file cut off",
    file: (store) => store.paged(PATH, records()),
    after: (dir) => Deno.truncate(`${dir}/database/${PATH}`, 100),
    message: /"base\/16384".* has 100 bytes, the file list says \d+/,
  },
  {
    what: "no stored file",
    file: (store) => store.paged(PATH, records()),
    after: (dir) => Deno.remove(`${dir}/database/${PATH}`),
    message: /"base\/16384".*cannot be opened.*ENOENT/,
  },
  {
    what: "a directory in the place of a stored file",
    file: (store) => store.paged(PATH, records()),
    after: async (dir) => {
      await Deno.remove(`${dir}/database/${PATH}`);
      await Deno.mkdir(`${dir}/database/${PATH}`);
    },
    message: /"base\/16384".*not a regular file/,
  },
  {
    what: "no page_header_map",
    file: (store) => store.paged(PATH, records()),
    after: (dir) => Deno.remove(`${dir}/page_header_map`),
    message: /"base\/16384".*cannot be opened/,
  },
  {
    what: "a page_header_map cut off",
    file: (store) => store.paged(PATH, records()),
    after: (dir) => Deno.truncate(`${dir}/page_header_map`, 10),
    message: /"base\/16384".*page_header_map ends/,
  },
  {
    what: "page headers that do not inflate",
    file: (store) => store.paged(PATH, records()),
    after: (dir) => patch(`${dir}/page_header_map`, 0, [0, 0, 0]),
    message: /"base\/16384".*do not inflate to 96 bytes/,
  },
  {
    what: "page headers with another CRC",
    file: (store) => store.paged(PATH, records(), { hdr_crc: 1 }),
    message: /CRC of its page headers is \d+, expected 1$/,
  },
  {
    what: "fewer page headers than promised",
    file: (store) => store.paged(PATH, records(), { n_headers: 2 }),
    message: /"base\/16384".*do not inflate to 72 bytes/,
  },
  {
    what: "more page headers than can be",
    file: (store) => store.paged(PATH, records(), { n_headers: 2 ** 31 - 1 }),
    message: /promises 2147483647 pages in \d+ bytes/,
  },
  {
    what: "an absurd size of page headers",
    file: (store) => store.paged(PATH, records(), { hdr_size: 2 ** 31 - 1 }),
    message: /gives its page headers 2147483647 bytes/,
  },
  {
    what: "page headers of another file",
    file: (store) => ({ ...store.paged(PATH, records()), stored: new Uint8Array(500) }),
    message: /page headers end at \d+, but its stored file has 500/,
  },
  {
    what: "a page longer than a page",
    file: (store) => store.paged(PATH, [{ block: 0, payload: new Uint8Array(8193) }]),
    message: /gives block 0 8193 bytes, expected 1 to 8192/,
  },
  {
    what: "an empty page",
    file: (store) => store.paged(PATH, [records()[0]!, { block: 1, payload: new Uint8Array() }]),
    message: /gives block 1 0 bytes/,
  },
  {
    what: "blocks out of order",
    file: (store) => store.paged(PATH, [records()[1]!, records()[0]!]),
    message: /block 0 follows that of block 1/,
  },
  {
    what: "a block twice",
    file: (store) => store.paged(PATH, [records()[1]!, records()[1]!]),
    message: /block 1 follows that of block 1/,
  },
  {
    what: "a block beyond any segment",
    file: (store) => store.paged(PATH, [{ ...records()[0]!, block: 2 ** 30 }]),
    message: /block 1073741824 follows/,
  },
  {
    what: "an old stream with a record longer than a page",
    version: "2.3.0",
    file: (store) => store.padded(PATH, [{ ...records()[0]!, sizeSaid: 8193 }]),
    message: /block 0 has 8193 bytes, expected 1 to 8192/,
  },
  {
    what: "an old stream with a negative size",
    version: "2.3.0",
    file: (store) => store.padded(PATH, [{ ...records()[0]!, sizeSaid: -2 }]),
    message: /block 0 has -2 bytes/,
  },
  {
    what: "an old stream that breaks off in a record",
    version: "2.3.0",
    file: (store) => store.padded(PATH, [{ ...records()[0]!, sizeSaid: firstSize + 99 }]),
    message: /block 0 ends at \d+, its stored file at \d+/,
  },
  {
    what: "an old stream that breaks off in a header",
    version: "2.3.0",
    file: (store) => {
      const { stored, ...file } = store.padded(PATH, records());
      return { ...file, stored: Uint8Array.of(...stored!, 1, 2, 3) };
    },
    message: /breaks off at \d+/,
  },
];

for (const { what, version, file, after, message, code } of DAMAGES) {
  Deno.test(`a store with ${what} is told from a sound one, naming the file [FR-135]`, async () => {
    await using store = await HandStore.make();
    const sound = store.padded("base/1", []);
    const id = await store.add({
      ...(version === undefined ? {} : { version }),
      files: [file(store), { path: "PG_VERSION", stored: new Uint8Array(3) }, {
        ...sound,
        keys: {},
      }],
    });
    await after?.(store.dirOf(id));
    const base = await store.open();
    for (let attempt = 0; attempt < 2; attempt++) {
      assert.throws(() => readFile(base, PATH), (error) => {
        assert(error instanceof PbkfsError, String(error));
        assert.equal(error.code, code ?? "StoreDamaged");
        assert.match(error.message, message);
        assert(error.message.includes(id), error.message);
        return true;
      });
    }
    assert.equal(readFile(base, "PG_VERSION" as ByteString).length, 3, "others are served");
    base.close();
  });
}

Deno.test("a stored file that shrinks while it is open is damage, not zeros [FR-135]", async () => {
  await using store = await HandStore.make();
  const id = await store.add({
    files: [
      store.paged(PATH, records()),
      store.paged("base/2", [{ block: 0, payload: handPage(1) }], { compress_alg: "none" }),
      { path: "base/1_vm", stored: new Uint8Array(500) },
    ],
  });
  const base = await store.open();
  for (const path of [PATH, "base/2", "base/1_vm"] as ByteString[]) {
    readFile(base, path);
    await Deno.truncate(`${store.dirOf(id)}/database/${path}`, 20);
    assert.throws(() => readFile(base, path), /stored file ends at 20, in the middle of it/);
  }
  base.close();
});

Deno.test("one flipped byte of a real backup costs one file, and is told [FR-135]", async () => {
  await using fixture = await unpackFixture("damaged");
  const { catalogPath, instancePath } = fixture;
  const id = fixture.restoredIds[0]!;
  const spec = await resolveChain({ catalogPath, backupId: id, useProbackup: false });
  const options = {
    layout: { mountPath: "/m" as ByteString, restoredAt: 0, settings: [] },
    codecs: await loadCodecs(),
  };
  const sound = await openChain(spec, options);
  const entry = sound.entries.findIndex(({ isDataFile, path }) =>
    isDataFile && path.startsWith("base/5/") && sound.sizeBytes(sound.find(path)!) > 3 * 8192
  );
  const { path } = sound.entries[entry]!;
  sound.close();
  await patch(`${instancePath}/${id}/database/${path}`, 60, [0xff, 0xff, 0xff, 0xff]);
  const base = await openChain(spec, options);
  assert.throws(() => readFile(base, path), new RegExp(`block 0 of "${path}".*no page in zlib`));
  assert.equal(readFile(base, "PG_VERSION" as ByteString).length, 3);
  base.close();
});
