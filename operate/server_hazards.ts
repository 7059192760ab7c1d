/**
 * Dangerous settings of the server that runs on a mount.
 *
 * A running server tells its settings only to who may log in. But they come from files of the
 * mount, and from its command line, which is in one, too. A file that was changed since may not be
 * in force yet; it will be when the server reads it.
 *
 * @module
 */

import {
  type CloneHazard,
  cloneHazards,
  commandLineSettings,
  type ConfigFiles,
  isElsewhere,
  readConfiguration,
} from "../postgres/mod.ts";
import { SIZE_BYTES_MAX } from "../daemon/mod.ts";
import { readBounded } from "./read_bounded.ts";

type Found = ReturnType<ConfigFiles["read"]>;

/**
 * Looks into the mount, so only for one whose process answers, and never from that process.
 *
 * @param serverVersion PostgreSQL's major version.
 */
export async function serverHazards(
  mountPath: string,
  serverVersion: string,
): Promise<CloneHazard[]> {
  const opts = await readInside(mountPath, "postmaster.opts");
  const commandLine = commandLineSettings(typeof opts === "object" ? opts.text : "");
  const dataDirectory = mountPath;
  const hasMain = !isElsewhere({ commandLine, dataDirectory });
  const files = new FetchedFiles(mountPath);
  for (;;) {
    const configuration = readConfiguration(files, { dataDirectory, hasMain });
    if (await files.fetch()) continue;
    const majorVersion = Number.parseFloat(serverVersion);
    return cloneHazards(configuration, { majorVersion, dataDirectory, commandLine });
  }
}

/** Files that are fetched when somebody has asked for them: who reads a configuration cannot wait. */
class FetchedFiles implements ConfigFiles {
  readonly #files = new Map<string, Found>();
  readonly #lists = new Map<string, string[] | undefined>();
  readonly #wanted = new Set<() => Promise<void>>();

  constructor(private readonly mountPath: string) {}

  read(path: string): Found {
    const known = this.#files.get(path);
    if (known === undefined) {
      this.#wanted.add(async () => {
        this.#files.set(path, await readInside(this.mountPath, path));
      });
    }
    return known ?? "none";
  }

  list(path: string): string[] | undefined {
    if (!this.#lists.has(path)) {
      this.#wanted.add(async () => {
        this.#lists.set(path, await listInside(this.mountPath, path));
      });
    }
    return this.#lists.get(path);
  }

  /** Fetches what was asked for. @returns Whether that was anything: then ask again. */
  async fetch(): Promise<boolean> {
    const wanted = [...this.#wanted];
    this.#wanted.clear();
    await Promise.all(wanted.map((each) => each()));
    return wanted.length > 0;
  }
}

async function readInside(mountPath: string, path: string): Promise<Found> {
  const full = `${mountPath}/${path}`;
  try {
    // Not where a link leads: the mount's owner chooses, and we may be root.
    if (await Deno.realPath(full) !== full) return "unreadable";
    const text = await readBounded(full, SIZE_BYTES_MAX);
    return text === undefined ? "unreadable" : { text };
  } catch (error) {
    return error instanceof Deno.errors.NotFound ? "none" : "unreadable";
  }
}

async function listInside(mountPath: string, path: string): Promise<string[] | undefined> {
  const full = path === "" ? mountPath : `${mountPath}/${path}`;
  try {
    if (await Deno.realPath(full) !== full) return undefined;
    return (await Array.fromAsync(Deno.readDir(full))).map(({ name }) => name);
  } catch {
    return undefined;
  }
}
