/** Reading a store that has traps, without a mount: every place, every trap. */

import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import {
  copyWal,
  listBackups,
  loadCodecs,
  openChain,
  planWal,
  readFile,
  resolveChain,
} from "../../backup/mod.ts";
import { PbkfsError } from "../../errors.ts";
import type { ByteString } from "../../ffi/bytes.ts";
import { type Fixture, unpackFixture } from "../support/fixtures.ts";
import { TempDir } from "../support/temp_dir.ts";
import { giveTo } from "../support/temp_dir.ts";
import { isRoot, ordinaryUser } from "../support/users.ts";
import { type Trap, TRAPS } from "./_traps.ts";

const LAYOUT = { mountPath: "/m" as ByteString, restoredAt: 0, settings: [] };
const SECRET = "root's own".padEnd(100, "!");

/** A catalog of an ordinary user, and a file that is not theirs. */
async function unpack(name: "zlib-chain" | "archive-wal"): Promise<Fixture & { secret: string }> {
  const fixture = await unpackFixture(name);
  if (isRoot()) await giveTo(ordinaryUser(), fixture.catalogPath);
  const secret = `${fixture.dirPath}/secret`;
  Deno.writeTextFileSync(secret, SECRET, { mode: 0o600 });
  return { ...fixture, secret };
}

async function chainOf({ catalogPath }: Fixture, backupId: string) {
  return await resolveChain({ catalogPath, backupId, useProbackup: false });
}

/** Lays each trap in place of a file, and puts the file back. */
async function withTraps(
  path: string,
  secret: string,
  body: (trap: Trap) => Promise<void>,
): Promise<void> {
  for (const trap of TRAPS) {
    if (trap.needsRoot === true && !isRoot()) continue;
    Deno.renameSync(path, `${path}.away`);
    trap.lay(path, secret);
    await body(trap);
    Deno.removeSync(path, { recursive: true });
    Deno.renameSync(`${path}.away`, path);
  }
}

/** Whether an error is one of ours, about a damaged store, that tells nothing of the secret. */
function isRefusal(error: unknown, trap: Trap): true {
  assert(error instanceof PbkfsError, `${trap.what}: ${error}`);
  assert.equal(error.code, "StoreDamaged", `${trap.what}: ${error.message}`);
  assert(!error.message.includes("root's own"));
  return true;
}

Deno.test("whatever lies where a stored file or page_header_map should be, a read fails [FR-842]", async () => {
  await using fixture = await unpack("zlib-chain");
  const spec = await chainOf(fixture, "TOTL93");
  const [info] = spec.members;
  const codecs = await loadCodecs();
  for (const name of ["database/base/1/1259", "database/PG_VERSION", "page_header_map"]) {
    await withTraps(`${info!.dirPath}/${name}`, fixture.secret, async (trap) => {
      const base = await openChain(spec, { codecs, layout: LAYOUT });
      const file = name.replace(/^database\//, "").replace("page_header_map", "base/1/1259");
      try {
        assert.throws(() => readFile(base, file as ByteString), (error) => isRefusal(error, trap));
      } finally {
        base.close();
      }
    });
  }
  const base = await openChain(spec, { codecs, layout: LAYOUT });
  assert(readFile(base, "base/1/1259" as ByteString).length > 0);
  base.close();
});

Deno.test("a directory on the way that is a link is not gone through [FR-842]", async () => {
  await using fixture = await unpack("zlib-chain");
  const spec = await chainOf(fixture, "TOTL93");
  const dirPath = spec.members[0]!.dirPath;
  const codecs = await loadCodecs();
  for (const name of ["database/base/1", "database/base", "database"]) {
    const path = `${dirPath}/${name}`;
    Deno.renameSync(path, `${path}.away`);
    Deno.symlinkSync(`${path}.away`, path);
    await assert.rejects(
      async () => {
        const base = await openChain(spec, { codecs, layout: LAYOUT });
        try {
          readFile(base, "base/1/1259" as ByteString);
        } finally {
          base.close();
        }
      },
      { code: "StoreDamaged" },
      name,
    );
    Deno.removeSync(path);
    Deno.renameSync(`${path}.away`, path);
  }
});

Deno.test("whatever lies in the archive in place of WAL or a history, it is refused [FR-843]", async () => {
  await using fixture = await unpack("archive-wal");
  const spec = await chainOf(fixture, fixture.restoredIds.at(-1)!);
  const archive = `${fixture.catalogPath}/wal/main`;
  const { files } = await planWal(spec, { walFiles: [] });
  await using target = TempDir.make();
  const copy = async () => await copyWal(await planWal(spec, { walFiles: [] }), target.path);
  for (const { sourcePath } of files) {
    await withTraps(sourcePath, fixture.secret, async (trap) => {
      await assert.rejects(copy, (error) => isRefusal(error, trap));
      const copied = [...Deno.readDirSync(target.path)].map(({ name }) => name);
      assert(!copied.some((name) => name.endsWith(".unfinished")), trap.what);
    });
  }
  // A packed one is opened the same way, and a bomb is not unpacked.
  const last = files.at(-1)!;
  const bomb = gzipSync(new Uint8Array(64 * 1024 * 1024));
  Deno.removeSync(last.sourcePath);
  const packed = `${archive}/${last.name}.gz`;
  Deno.writeFileSync(packed, bomb);
  await assert.rejects(copy, { code: "StoreDamaged" });
  await withTraps(packed, fixture.secret, async (trap) => {
    await assert.rejects(copy, (error) => isRefusal(error, trap));
  });
});

Deno.test("an instance, and its archive, may be a link to another disk; a backup may not [FR-844]", async () => {
  await using fixture = await unpack("archive-wal");
  const elsewhere = `${fixture.dirPath}/disk1`;
  Deno.mkdirSync(elsewhere);
  for (const kind of ["backups", "wal"]) {
    Deno.renameSync(`${fixture.catalogPath}/${kind}/main`, `${elsewhere}/${kind}`);
    Deno.symlinkSync(`../../disk1/${kind}`, `${fixture.catalogPath}/${kind}/main`);
  }
  const id = fixture.restoredIds.at(-1)!;
  const catalogLink = `${fixture.dirPath}/link`;
  Deno.symlinkSync(fixture.catalogPath, catalogLink);
  const spec = await resolveChain({ catalogPath: catalogLink, backupId: id, useProbackup: false });
  assert(spec.members.every(({ dirPath }) => dirPath.startsWith(`${elsewhere}/backups/`)));
  const base = await openChain(spec, { codecs: await loadCodecs(), layout: LAYOUT });
  assert(readFile(base, "PG_VERSION" as ByteString).length > 0);
  base.close();
  assert((await planWal(spec, { walFiles: [] })).files.length > 0);

  Deno.renameSync(`${elsewhere}/backups/${id}`, `${elsewhere}/${id}`);
  Deno.symlinkSync(`../${id}`, `${elsewhere}/backups/${id}`);
  const { catalogPath } = fixture;
  const [instance] = (await listBackups({ catalogPath, useProbackup: false })).instances;
  const linked = instance!.backups.find(({ info }) => info.dirPath.endsWith(`/${id}`));
  assert.match(linked?.problem?.message ?? "", /symbolic link/);
  await assert.rejects(chainOf(fixture, id), { code: "CatalogUnreadable" });

  if (!isRoot()) return;
  const owned = `${fixture.catalogPath}/wal/main`;
  await giveTo(ordinaryUser(), owned);
  await giveTo({ uid: 0, gid: 0 }, `${elsewhere}/wal`);
  await assert.rejects(planWal(spec, { walFiles: [] }), { message: /symbolic link of user/ });
});
