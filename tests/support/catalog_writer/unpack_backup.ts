/**
 * Turns a recorded backup back into the data directory that it was taken from, as far as a backup
 * tells.
 *
 * @module
 */

import { type Base, destOf, loadCodecs, openChain, readFile } from "../../../backup/mod.ts";
import { type ChainSpec, type EntryIndex, externalDirectories } from "../../../backup/mod.ts";
import { bytesOf, type ByteString, printable } from "../../../ffi/bytes.ts";
import { keyOf, readContent } from "./content_entry.ts";

/** Where the parts of an unpacked backup are. */
export interface UnpackedBackup {
  readonly dataPath: string;
  /** In the order of their numbers. */
  readonly externalPaths: readonly string[];
  readonly walPaths: readonly string[];
  /** Files that a server gives at the end of a backup. */
  readonly extraFiles: Readonly<Record<string, Uint8Array>>;
}

const EXTRA_FILES = ["backup_label", "tablespace_map", "database_map"];
const AUTO_CONF = "postgresql.auto.conf";
const TABLESPACES = "pbkfs_tablespaces/";
const EXTERNAL = /^external_directories\/externaldir(\d+)(?:\/|$)/;

/** Unpacks dest of `spec` below `dirPath`. What dest did not store gets an old time. */
export async function unpackBackup(spec: ChainSpec, dirPath: string): Promise<UnpackedBackup> {
  const dataPath = `${dirPath}/data`;
  Deno.mkdirSync(dataPath, { recursive: true });
  const layout = { mountPath: dirPath as ByteString, restoredAt: 0, settings: [] };
  const base = await openChain(spec, { layout, codecs: await loadCodecs() });
  const dest = destOf(spec);
  const content = readContent(dest.dirPath);
  base.entries.forEach(({ path, kind, mode, target }, index) => {
    const place = placeOf(printable(path), dirPath);
    if (place === undefined) return;
    if (kind === "directory") return Deno.mkdirSync(place, { recursive: true, mode });
    if (kind === "symlink") return Deno.symlinkSync(printable(target as ByteString), place);
    const bytes = path === AUTO_CONF ? storedAutoConf(spec) : readFile(base, index as EntryIndex);
    Deno.writeFileSync(place, bytes);
    const listed = printable(path).replace(TABLESPACES, "pg_tblspc/");
    const entry = content.get(keyOf({ path: listed, externalNumber: 0 }));
    // Of pg_control, a restore does not give the mode that it had.
    Deno.chmodSync(place, (entry?.mode ?? mode) & 0o777);
    if (entry?.size === -1) Deno.utimeSync(place, 0, 0);
  });
  const externals = externalDirectories(dest.externalDirs).map((_, at) =>
    `${dirPath}/ext${at + 1}`
  );
  for (const entry of content.values()) {
    if (entry.externalNumber === 0 || entry.size !== -1) continue;
    Deno.utimeSync(`${externals[entry.externalNumber - 1]}/${entry.path}`, 0, 0);
  }
  const unpacked = { dataPath, externalPaths: externals, walPaths: walPathsOf(base) };
  base.close();
  return { ...unpacked, extraFiles: extraFilesOf(dest.dirPath) };
}

/** Where an entry of the tree goes; undefined for WAL, and for what only the tree has. */
function placeOf(path: string, dirPath: string): string | undefined {
  if (path.startsWith("pg_wal/") || EXTRA_FILES.includes(path)) return undefined;
  if (path === "external_directories" || `${path}/` === TABLESPACES) return undefined;
  if (path.startsWith(TABLESPACES)) {
    Deno.mkdirSync(`${dirPath}/${TABLESPACES}`, { recursive: true });
    return `${dirPath}/${path}`;
  }
  return EXTERNAL.test(path)
    ? `${dirPath}/${path.replace(EXTERNAL, "ext$1/").replace(/\/$/, "")}`
    : `${dirPath}/data/${path}`;
}

/** As it was, without what a restore adds. */
function storedAutoConf(spec: ChainSpec): Uint8Array {
  for (const { dirPath } of spec.members.toReversed()) {
    const entry = readContent(dirPath).get(keyOf({ path: AUTO_CONF, externalNumber: 0 }));
    if (entry?.size === 0) return new Uint8Array();
    if (entry !== undefined && entry.size > 0) {
      return Deno.readFileSync(`${dirPath}/database/${AUTO_CONF}`);
    }
  }
  throw new Error(`No backup has ${AUTO_CONF}`);
}

function walPathsOf(base: Base): string[] {
  return base.walFiles.map(({ path }) => new TextDecoder().decode(bytesOf(path)));
}

function extraFilesOf(backupPath: string): Record<string, Uint8Array> {
  return Object.fromEntries(EXTRA_FILES.flatMap((name) => {
    try {
      return [[name, Deno.readFileSync(`${backupPath}/database/${name}`)]];
    } catch {
      return []; // A cluster without tablespaces has no map.
    }
  }));
}
