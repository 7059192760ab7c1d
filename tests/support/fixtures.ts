/**
 * The recorded catalogs of `postgres/fixtures`, unpacked for a test.
 *
 * @module
 */

import { zstdDecompressSync } from "node:zlib";
import { makeTablespaceCatalog } from "./tablespace_catalog.ts";

/** What `make-catalogs.sh` made, and what is made here when it is asked for. */
export type FixtureName =
  | "zlib-chain"
  | "mixed-compression"
  | "archive-wal"
  | "damaged"
  | "pg17-chain"
  | "pg17-tablespaces";

/** Those of `make-catalogs.sh`. */
export const FIXTURES: readonly FixtureName[] = [
  "zlib-chain",
  "mixed-compression",
  "archive-wal",
  "damaged",
  "pg17-chain",
];

/** What a restore wrote in one place: modes as `0o600`, links by the last part of their target. */
export type RestoredEntry =
  | { readonly type: "dir"; readonly mode: string }
  | { readonly type: "link"; readonly target: string }
  | {
    readonly type: "file";
    readonly mode: string;
    readonly size: number;
    readonly sha256: string;
  };

/** By path relative to the restored directory. */
export type RestoredTree = Readonly<Record<string, RestoredEntry>>;

/** A catalog of one's own, to read or to damage. It is removed at the end of its scope. */
export interface Fixture extends AsyncDisposable {
  readonly name: string;
  readonly dirPath: string;
  readonly catalogPath: string;
  /** The directory of the only instance. */
  readonly instancePath: string;
  /** What `pg_probackup show --format=json` printed. */
  readonly showPath: string;
  /** Ids of the backups that the program restored, oldest first. */
  readonly restoredIds: readonly string[];
  /** @param part Such as `rts1` or `rext1`: what it wrote elsewhere. */
  restored(id: string, part?: string): Promise<RestoredTree>;
  /** Which parts of a restored backup lie elsewhere. */
  parts(id: string): readonly string[];
}

/**
 * Unpacks a fixture.
 *
 * @param intoPath An existing directory that stays; if left out, a new one that the end of the
 * scope removes.
 */
export async function unpackFixture(name: string, intoPath?: string): Promise<Fixture> {
  const dirPath = intoPath ?? await Deno.makeTempDir({ prefix: `pbkfs-${name}-` });
  const dispose = async () => {
    if (intoPath === undefined) await Deno.remove(dirPath, { recursive: true });
  };
  try {
    if (name === "pg17-tablespaces") await copyMade(dirPath);
    else await unpackArchive(name, dirPath);
    return await describe(name, dirPath, dispose);
  } catch (error) {
    await dispose();
    throw error;
  }
}

/** Without the program zstd, which not every machine has. */
async function unpackArchive(name: string, dirPath: string): Promise<void> {
  const archive = new URL(`../../postgres/fixtures/${name}.tar.zst`, import.meta.url);
  const tar = new Deno.Command("tar", {
    args: ["-xf", "-", "-C", dirPath],
    stdin: "piped",
    stderr: "piped",
  }).spawn();
  const ended = tar.output();
  const writer = tar.stdin.getWriter();
  await writer.write(zstdDecompressSync(await Deno.readFile(archive)));
  await writer.close();
  const { success, stderr } = await ended;
  if (!success) throw new Error(`tar failed: ${new TextDecoder().decode(stderr)}`);
}

/** Where the catalog with tablespaces is, once it was made. */
let made: Promise<string> | undefined;

async function copyMade(dirPath: string): Promise<void> {
  made ??= makeOnce();
  const args = ["-a", `${await made}/.`, dirPath];
  const { success, stderr } = await new Deno.Command("cp", { args }).output();
  if (!success) throw new Error(`cp failed: ${new TextDecoder().decode(stderr)}`);
}

async function makeOnce(): Promise<string> {
  const dirPath = Deno.makeTempDirSync({ prefix: "pbkfs-made-" });
  globalThis.addEventListener("unload", () => Deno.removeSync(dirPath, { recursive: true }));
  for (const part of ["restored", "rows"]) Deno.mkdirSync(`${dirPath}/${part}`);
  await makeTablespaceCatalog(dirPath, 17);
  return dirPath;
}

async function describe(
  name: string,
  dirPath: string,
  dispose: () => Promise<void>,
): Promise<Fixture> {
  const files: string[] = [];
  for await (const { name } of Deno.readDir(`${dirPath}/restored`)) files.push(name);
  const catalogPath = `${dirPath}/catalog`;
  return {
    name,
    dirPath,
    catalogPath,
    instancePath: `${catalogPath}/backups/main`,
    showPath: `${dirPath}/show.json`,
    restoredIds: files.filter((file) => /^\w+\.json$/.test(file))
      .map((file) => file.slice(0, -".json".length)).sort(),
    async restored(id, part) {
      const file = part === undefined ? `${id}.json` : `${id}.${part}.json`;
      return JSON.parse(await Deno.readTextFile(`${dirPath}/restored/${file}`));
    },
    parts: (id) =>
      files.filter((file) => file.startsWith(`${id}.`) && file !== `${id}.json`)
        .map((file) => file.slice(id.length + 1, -".json".length)).sort(),
    [Symbol.asyncDispose]: dispose,
  };
}
