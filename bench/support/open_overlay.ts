/**
 * An overlay over a sample backup, in this process: no FUSE, no worker.
 *
 * @module
 */

import { destOf, loadCodecs, openChain, resolveChain } from "../../backup/mod.ts";
import { type ByteString, byteStringOf } from "../../ffi/bytes.ts";
import { OPEN, systemLibc } from "../../ffi/libc.ts";
import { type Ino, ROOT_INO } from "../../fuse/mod.ts";
import {
  InlineCommitter,
  makeContext,
  Overlay,
  OverlayCounters,
  ReadEngine,
  SqliteStore,
  StoredState,
  timestamp,
} from "../../overlay/mod.ts";
import { type FixtureName, unpackFixture } from "../../tests/support/fixtures.ts";

/** An overlay, and the largest data file of its base. */
export interface OpenedOverlay extends AsyncDisposable {
  readonly overlay: Overlay;
  readonly dirPath: string;
  readonly largest: { readonly ino: Ino; readonly sizeBytes: number };
  /** The inode of a path. */
  find(path: string): Ino;
}

/** Opens a backup of a sample; the diff begins empty. */
export async function openOverlay(
  name: FixtureName,
  options: { readonly backupId?: string; readonly systemCodecs?: boolean } = {},
): Promise<OpenedOverlay> {
  const fixture = await unpackFixture(name);
  const libc = systemLibc();
  const { backupId, systemCodecs: system = true } = options;
  const spec = await resolveChain({
    catalogPath: fixture.catalogPath,
    useProbackup: false,
    ...(backupId !== undefined && { backupId }),
  });
  const codecs = await loadCodecs({ system });
  const layout = { mountPath: byteStringOf("/"), restoredAt: destOf(spec).startTime, settings: [] };
  const base = await openChain(spec, { libc, codecs, layout });
  const dataPath = `${fixture.dirPath}/data`;
  Deno.mkdirSync(dataPath);
  const dataDirectory = byteStringOf(dataPath);
  const store = new SqliteStore(`${fixture.dirPath}/metadata.sqlite`);
  const overlay = new Overlay({
    base,
    reads: new ReadEngine({ libc, codecs, counters: base.counters }),
    state: new StoredState(store.loadPacked()),
    committer: new InlineCommitter(makeContext({
      store,
      libc,
      dataDirectory,
      dataDirectoryFd: libc.open(dataDirectory, OPEN.readOnly | OPEN.directory),
      reply: () => {},
      onError: (what, error) => {
        throw new Error(`${what} failed`, { cause: error });
      },
    })),
    libc,
    dataDirectory,
    owner: { ...base.owner, rootMode: base.rootMode, time: timestamp(layout.restoredAt) },
    counters: new OverlayCounters(),
  });
  const find = (path: string): Ino =>
    path.split("/").reduce<Ino>((parent, part) => {
      const found = overlay.lookup({ parent, name: part as ByteString });
      if (found === undefined) throw new Error(`There is no ${path}`);
      return found.ino;
    }, ROOT_INO);
  const sizes = base.entries
    .filter(({ isDataFile, kind }) => kind === "file" && isDataFile)
    .map(({ path }) => overlay.getAttributes(find(path)));
  const largest = sizes.reduce((a, b) => (a.sizeBytes >= b.sizeBytes ? a : b));
  return {
    overlay,
    dirPath: fixture.dirPath,
    largest,
    find,
    [Symbol.asyncDispose]: async () => {
      overlay.close();
      base.close();
      store.close();
      await fixture[Symbol.asyncDispose]();
    },
  };
}
