/**
 * The promises of a source of backups, for all kinds of them.
 *
 * @module
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { bytesOf, type ByteString, byteStringOf } from "../../ffi/bytes.ts";
import { systemLibc } from "../../ffi/libc.ts";
import { allocate } from "../../ffi/memory.ts";
import { sourceOf } from "../../backup/sources.ts";
import type { Base, OpenOptions, TreeLayout } from "../../backup/tree/base.ts";
import type { BaseEntry, EntryIndex } from "../../backup/tree/base_tree.ts";
import { loadCodecs } from "../../backup/tree/codecs.ts";
import { PieceReader, sizeOf } from "../../backup/tree/piece_reader.ts";
import { readFile } from "../../backup/tree/read_file.ts";
import type { BackupRef, HoldOptions } from "../../backup/tree/source.ts";
import { StoreAlarm } from "../../backup/tree/store_alarm.ts";
import { copyWal } from "../../backup/tree/wal_copy.ts";

/** A backup to try the promises with. */
export interface SourceSample extends AsyncDisposable {
  readonly backup: BackupRef;
  readonly storePath: string;
  /** All that can be told of the store, to compare. */
  readonly look: () => Promise<unknown>;
  /** Makes another backup of it, as whoever changes it would begin. */
  readonly spoil: () => void;
}

const LAYOUT: TreeLayout = {
  mountPath: byteStringOf("/mnt"),
  restoredAt: 1_700_000_000_000,
  settings: ["archive_mode = 'off'"],
  walLink: byteStringOf("/diff/wal"),
};

async function withBase(
  backup: BackupRef,
  use: (base: Base) => void | Promise<void>,
  more: Pick<OpenOptions, "alarm"> = {},
) {
  const options = { layout: LAYOUT, codecs: await loadCodecs(), ...more };
  const base = await sourceOf(backup).open(backup, options);
  try {
    await use(base);
  } finally {
    base.close();
  }
}

function filesOf(base: Base): { readonly entry: EntryIndex; readonly file: BaseEntry }[] {
  return base.entries.map((file, at) => ({ entry: at as EntryIndex, file }))
    .filter(({ file }) => file.kind === "file");
}

function bytewise(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

const promises: Record<string, (sample: SourceSample) => Promise<void>> = {
  "what is found is plain data, and opens after it has crossed to another process": async (
    { backup },
  ) => {
    const crossed = JSON.parse(JSON.stringify(backup)) as BackupRef;
    assert.deepEqual(crossed, backup);
    await withBase(crossed, (base) => assert(base.count > 0));
    assert.equal(await sourceOf(crossed).change(crossed), undefined);
  },

  "entries are in the order of their paths, each in its directory, and found by path and name": (
    { backup },
  ) =>
    withBase(backup, (base) => {
      const paths = base.entries.map(({ path }) => path);
      assert.deepEqual(paths, paths.toSorted(bytewise));
      assert.equal(new Set(paths).size, paths.length);
      paths.forEach((path, at) => {
        const entry = at as EntryIndex;
        assert.equal(base.find(path), entry);
        const slash = path.lastIndexOf("/");
        const parent = slash < 0 ? undefined : base.find(path.slice(0, slash) as ByteString);
        assert.equal(base.parent(entry), parent, path);
        const names = base.names(parent);
        const place = names.find(path.slice(slash + 1) as ByteString);
        assert.equal(place === undefined ? undefined : names.entry(place), entry, path);
      });
    }),

  "any range of a file is that part of the whole, clipped at its end": ({ backup }) =>
    withBase(backup, (base) => {
      const reader = new PieceReader(base);
      const files = filesOf(base).filter(({ entry }) => base.sizeBytes(entry) > 0);
      const cases = fc.record({
        at: fc.nat(files.length - 1),
        offset: fc.double({ min: 0, max: 1.1, noNaN: true }),
        size: fc.integer({ min: 0, max: 40_000 }),
      });
      fc.assert(
        fc.property(cases, ({ at, offset, size }) => {
          const { entry } = files[at]!;
          const whole = readFile(base, entry);
          const offsetBytes = Math.floor(offset * whole.length);
          const expected = whole.subarray(offsetBytes, offsetBytes + size);
          const pieces = base.planRead(entry, { offsetBytes, sizeBytes: size });
          assert.equal(pieces.reduce((sum, piece) => sum + sizeOf(piece), 0), expected.length);
          const target = allocate(Math.max(1, size));
          const got = reader.read(pieces, target);
          assert.deepEqual(target.bytes.subarray(0, got), expected);
        }),
        { numRuns: 150 },
      );
    }),

  "every file can be read, to the length that it is told to have": ({ backup }) =>
    withBase(backup, (base) => {
      for (const { entry } of filesOf(base)) {
        assert.equal(readFile(base, entry).length, base.sizeBytes(entry));
        assert.equal(base.extent(entry, 0).endBytes <= base.sizeBytes(entry), true);
      }
    }),

  "the clone's settings are the last ones, its WAL is a link, and the map of tablespaces is not there":
    ({ backup }) =>
      withBase(backup, (base) => {
        const autoConf = new TextDecoder().decode(
          readFile(base, byteStringOf("postgresql.auto.conf")),
        );
        assert(autoConf.endsWith("archive_mode = 'off'\n"), autoConf);
        const wal = base.entry(base.find(byteStringOf("pg_wal")) as EntryIndex);
        assert.deepEqual([wal.kind, wal.target], ["symlink", LAYOUT.walLink]);
        for (const name of ["tablespace_map", "postmaster.pid", "standby.signal"]) {
          assert.equal(base.find(byteStringOf(name)), undefined, name);
        }
        const tablespaces = base.entries.filter(({ path }) => /^pg_tblspc\/\d+$/.test(path));
        for (const { kind, path, target } of tablespaces) {
          const oid = path.slice("pg_tblspc/".length);
          assert.deepEqual([kind, target], ["symlink", `/mnt/pbkfs_tablespaces/${oid}`]);
          const directory = base.find(byteStringOf(`pbkfs_tablespaces/${oid}`)) as EntryIndex;
          assert(base.names(directory).count > 0, `tablespace ${oid} has something`);
        }
        assert.equal(base.unlisted !== undefined, tablespaces.length > 0);
      }),

  "a first look gives the WAL that recovery begins with, and who owns all": async ({ backup }) => {
    const dirPath = Deno.makeTempDirSync({ prefix: "pbkfs-test-" });
    using undo = new DisposableStack();
    undo.defer(() => Deno.removeSync(dirPath, { recursive: true }));
    const source = sourceOf(backup);
    const { owner, wal, walMode } = await source.look(backup);
    assert.deepEqual(owner, source.owner(backup));
    assert.equal(walMode & 0o700, 0o700);
    const control = new Set(wal.files.map(({ name }) => name));
    assert([...control].some((name) => /^[0-9A-F]{24}$/.test(name)), [...control].join(" "));
    await copyWal(wal, dirPath);
    assert.deepEqual(new Set([...Deno.readDirSync(dirPath)].map(({ name }) => name)), control);
  },

  "while the alarm is on, no read is planned of any file, and names and lengths are told": (
    { backup },
  ) => {
    const alarm = new StoreAlarm();
    return withBase(backup, (base) => {
      const range = { offsetBytes: 0, sizeBytes: 1 };
      const isTold = { code: "StoreDamaged", message: /: it was changed/ };
      readFile(base, byteStringOf("PG_VERSION"));
      alarm.set("it was changed");
      for (const { entry } of filesOf(base)) {
        assert.throws(() => base.planRead(entry, range), isTold);
        assert.throws(() => base.extent(entry, 0), isTold);
        assert(base.sizeBytes(entry) >= 0);
      }
      alarm.set(undefined);
      for (const { entry } of filesOf(base)) {
        const planned = base.planRead(entry, range).reduce((sum, piece) => sum + sizeOf(piece), 0);
        assert.equal(planned, Math.min(1, base.sizeBytes(entry)));
      }
    }, { alarm: new StoreAlarm(alarm.shared) });
  },

  "nothing in the store changes, and nothing of it stays open": async ({
    backup,
    storePath,
    look,
  }) => {
    const openFiles = () =>
      [...Deno.readDirSync("/proc/self/fd")].map(({ name }) => linkOf(`/proc/self/fd/${name}`))
        .filter((target) => target.startsWith(storePath));
    const before = await look();
    await withBase(backup, (base) => {
      for (const { entry } of filesOf(base)) readFile(base, entry);
      assert(openFiles().length > 0);
    });
    await sourceOf(backup).look(backup);
    assert.deepEqual(openFiles(), []);
    assert.deepEqual(await look(), before);
  },

  "a backup that is held is as it was, and locks leave no file": async (
    { backup, look, storePath },
  ) => {
    const source = sourceOf(backup);
    const filesBefore = await filesBelow(storePath);
    const before = await look();
    const watched = await source.hold(backup, holding({ lock: false }));
    assert.deepEqual(await look(), before, "to watch is to look");
    await watched.release();
    const held = await source.hold(backup, holding({ lock: true }));
    assert(held.notes.length > 0);
    assert.equal(await source.change(backup), undefined);
    await held.release();
    assert.deepEqual(await filesBelow(storePath), filesBefore);
  },

  "who watches is told once of a change": async ({ backup, spoil }) => {
    const source = sourceOf(backup);
    const told: (string | undefined)[] = [];
    const first = Promise.withResolvers<void>();
    const onChange = (change: string | undefined) => {
      told.push(change);
      first.resolve();
    };
    const hold = await source.hold(backup, holding({ lock: false, onChange, watchMs: 5 }));
    spoil();
    await first.promise;
    const change = await source.change(backup);
    assert(change !== undefined && !change.endsWith("."), change);
    for (let look = 0; look < 3; look++) await source.change(backup);
    await hold.release();
    assert.deepEqual(told, [change]);
  },

  "who reads sees the bytes that the tree's own paths lead to": ({ backup }) =>
    withBase(backup, (base) => {
      const version = readFile(base, byteStringOf("PG_VERSION"));
      assert.deepEqual(version, bytesOf(byteStringOf(`${backup.serverVersion}\n`)));
      assert(readFile(base, byteStringOf("global/pg_control")).length >= 8192);
    }),
};

function holding(
  options: Pick<HoldOptions, "lock"> & Partial<HoldOptions>,
): HoldOptions {
  const fail = (change: string | undefined) => assert.fail(`${change}`);
  return { libc: systemLibc(), waitMs: 0, onWait: fail, onChange: fail, ...options };
}

async function filesBelow(dirPath: string): Promise<string[]> {
  const paths: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(dirPath)) {
    const path = `${dirPath}/${name}`;
    paths.push(path);
    if (isDirectory) paths.push(...await filesBelow(path));
  }
  return paths.sort();
}

function linkOf(path: string): string {
  try {
    return Deno.readLinkSync(path);
  } catch {
    return "";
  }
}

/**
 * Registers a test for each promise.
 *
 * @param name With the id of the requirement.
 * @param open A sample of one's own.
 */
export function testSource(name: string, open: () => Promise<SourceSample>): void {
  for (const [promise, keep] of Object.entries(promises)) {
    Deno.test(`${name}: ${promise}`, async () => {
      await using sample = await open();
      await keep(sample);
    });
  }
}
