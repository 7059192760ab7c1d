/**
 * The program as another user finds it. The checkout and the cache of this run may lie in a home
 * directory that the user cannot enter, so both are copied.
 *
 * @module
 */

import { commandAs, type Identity, isRoot } from "./users.ts";
import { giveTo } from "./temp_dir.ts";

/** Where the program and its dependencies are. */
export interface Checkout {
  readonly dirPath: string;
  /** The program that runs it. */
  readonly denoPath: string;
  /** `DENO_DIR`; the default if undefined. */
  readonly denoDir?: string;
}

const ROOT = new URL("../../", import.meta.url).pathname.replace(/\/$/, "");
const NOT_COPIED = new Set([".git", ".tools", "postgres/fixtures", "node_modules"]);
const copies = new Map<number, Promise<Checkout>>();

/** The checkout that `user` can read: this one if we run as that user, else a copy. */
export function checkoutFor(user: Identity | undefined): Promise<Checkout> {
  if (user === undefined || !isRoot() || user.uid === 0) {
    return Promise.resolve({ dirPath: ROOT, denoPath: Deno.execPath() });
  }
  const known = copies.get(user.uid) ?? copyFor(user);
  copies.set(user.uid, known);
  return known;
}

async function copyFor(user: Identity): Promise<Checkout> {
  const place = Deno.makeTempDirSync({ prefix: "pbkfs-test-copy-" });
  globalThis.addEventListener("unload", () => Deno.removeSync(place, { recursive: true }));
  const dirPath = `${place}/pbkfs`;
  copySources(dirPath, "");
  const denoDir = `${place}/cache`;
  await copyCache(denoDir);
  let denoPath = Deno.execPath();
  if (!await mayRun(user, denoPath)) {
    denoPath = `${place}/deno`;
    Deno.copyFileSync(Deno.execPath(), denoPath);
  }
  await giveTo(user, place);
  return { dirPath, denoPath, denoDir };
}

/** What other programs keep there may go while it is copied: then it is copied once more. */
async function copyCache(target: string): Promise<void> {
  let said = "";
  for (let attempt = 0; attempt < 5; attempt++) {
    const { success, stderr } = await new Deno.Command("cp", {
      args: ["-R", "--remove-destination", "-T", ownDenoDir(), target],
    }).output();
    if (success) return;
    said = new TextDecoder().decode(stderr);
  }
  throw new Error(said);
}

async function mayRun(user: Identity, program: string): Promise<boolean> {
  const [first = "", ...args] = commandAs(user, ["test", "-x", program]);
  return (await new Deno.Command(first, { args, cwd: "/" }).output()).success;
}

function copySources(target: string, below: string): void {
  Deno.mkdirSync(`${target}/${below}`, { recursive: true });
  for (const entry of Deno.readDirSync(`${ROOT}/${below}`)) {
    const path = below === "" ? entry.name : `${below}/${entry.name}`;
    if (NOT_COPIED.has(path)) continue;
    if (entry.isDirectory) copySources(target, path);
    else if (entry.isFile) Deno.copyFileSync(`${ROOT}/${path}`, `${target}/${path}`);
  }
}

/** Where the Deno that runs us keeps what it has loaded. */
export function ownDenoDir(): string {
  const home = Deno.env.get("HOME") ?? "/root";
  return Deno.env.get("DENO_DIR") ?? `${Deno.env.get("XDG_CACHE_HOME") ?? `${home}/.cache`}/deno`;
}
