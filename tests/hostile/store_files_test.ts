/** What lies in a store where a file should be leads nowhere, and keeps nobody waiting. */

import assert from "node:assert/strict";
import { type Code, CODES } from "../../errors.ts";
import { runCli } from "../support/cli.ts";
import { ownerOf, waitUntil } from "../support/daemon_process.ts";
import { isAlive } from "../../binding/mod.ts";
import { mountArguments } from "../support/mount_backup.ts";
import { fuseMounts, isMounted } from "../support/mounts.ts";
import { Scene } from "../support/scene.ts";
import { mountObstacle, testUnless } from "../support/skip.ts";
import { isRoot, ordinaryUser } from "../support/users.ts";
import { TRAPS } from "./_traps.ts";

const BACKUP = "TOTL9U";
const open = () => Scene.open({ fixture: "zlib-chain", owner: ordinaryUser() });
const dirOf = ({ catalogDir }: Scene, id = BACKUP) => `${catalogDir}/backups/main/${id}`;

/** An error, or nothing. */
function attempt(use: () => void): { readonly code?: string } | undefined {
  try {
    use();
    return undefined;
  } catch (error) {
    return error as { readonly code?: string };
  }
}

testUnless(
  mountObstacle(),
  "a stored file that is none fails with EIO, the others are served, and SIGTERM works [FR-840]",
  async () => {
    await using scene = await open();
    const secret = `${scene.dirPath}/secret`;
    Deno.writeTextFileSync(secret, "root's own".padEnd(100, "!"), { mode: 0o600 });
    await using _mount = await scene.mount(BACKUP);
    const files = findLarge(scene.mountDir);
    assert(files.length > TRAPS.length);
    const trapped: string[] = [];
    const denied: string[] = [];
    for (const [at, trap] of TRAPS.entries()) {
      if (trap.needsRoot === true && !isRoot()) continue;
      const name = files[at]!;
      for (const id of ["TOTL93", "TOTL9E", "TOTL9J", BACKUP]) {
        const path = `${dirOf(scene, id)}/database/${name}`;
        if (attempt(() => Deno.lstatSync(path)) !== undefined) continue;
        Deno.removeSync(path);
        trap.lay(path, secret);
      }
      trapped.push(name);
      if (trap.what === "a hard link") denied.push(name);
    }
    for (const name of trapped) {
      const error = attempt(() => Deno.readFileSync(`${scene.mountDir}/${name}`));
      assert.equal(error?.code, "EIO", name);
    }
    assert(Deno.readFileSync(`${scene.mountDir}/${files.at(-1)}`).length > 0);
    const log = Deno.readTextFileSync(`${scene.diffDir}/pbkfs.log`);
    assert.match(log, /not a regular file/);
    assert.match(log, /symbolic link/);
    // Root acts for the owner here, so it is the kernel that keeps it from root's own file.
    for (const name of denied) {
      assert.match(log, new RegExp(`Cannot read backup .*${name} failed with EACCES`));
    }
    const { pid } = ownerOf(scene.diffDir);
    Deno.kill(pid, "SIGTERM");
    assert(await waitUntil(() => !isAlive(pid)), "SIGTERM works");
    assert(!isMounted(scene.mountDir));
  },
);

/** Paths below a directory of files with content, of `base`, in their order. */
function findLarge(dirPath: string): string[] {
  const below = (path: string): string[] =>
    [...Deno.readDirSync(`${dirPath}/${path}`)].flatMap(({ name, isDirectory }) => {
      const inside = `${path}/${name}`;
      if (isDirectory) return below(inside);
      return /^\d+$/.test(name) && Deno.statSync(`${dirPath}/${inside}`).size > 0 ? [inside] : [];
    });
  return below("base").sort();
}

/** A file that a mount reads, and how it is refused if it is none. */
const PLACES: readonly {
  readonly what: string;
  readonly path: (scene: Scene) => string;
  readonly code: Code;
}[] = [
  {
    what: "the file list",
    path: (scene) => `${dirOf(scene)}/backup_content.control`,
    code: "StoreDamaged",
  },
  {
    what: "a file list of an ancestor",
    path: (scene) => `${dirOf(scene, "TOTL9E")}/backup_content.control`,
    code: "StoreDamaged",
  },
  {
    what: "backup.control",
    path: (scene) => `${dirOf(scene)}/backup.control`,
    code: "CatalogUnreadable",
  },
  {
    what: "pg_probackup.conf",
    path: ({ catalogDir }) => `${catalogDir}/backups/main/pg_probackup.conf`,
    code: "CatalogUnreadable",
  },
  {
    what: "backup.pid",
    path: (scene) => `${dirOf(scene)}/backup.pid`,
    code: "CatalogUnreadable",
  },
  {
    what: "a file that is read at mount",
    path: (scene) => `${dirOf(scene, "TOTL93")}/database/postgresql.auto.conf`,
    code: "StoreDamaged",
  },
];

for (const [at, { what, path, code }] of PLACES.entries()) {
  // A pipe, before which an open stands still, and one other trap: a mount takes a second.
  const traps = TRAPS.filter((_, index) => index === 0 || index % PLACES.length === at + 1);
  testUnless(
    mountObstacle(),
    `${what} that is no file is refused at once: ${code} [FR-841]`,
    async () => {
      await using scene = await open();
      const secret = `${scene.dirPath}/secret`;
      Deno.writeTextFileSync(secret, "root's own\n", { mode: 0o600 });
      for (const trap of traps) {
        if (trap.needsRoot === true && !isRoot()) continue;
        const place = path(scene);
        await Deno.remove(place, { recursive: true }).catch(() => {});
        trap.lay(place, secret);
        const args = mountArguments(scene.mountOptions(BACKUP));
        const outcome = await runCli(args);
        assert.equal(outcome.code, CODES[code].exitCode, `${trap.what}: ${outcome.stderr}`);
        assert.doesNotMatch(outcome.stderr, /root's own/);
        assert.deepEqual(fuseMounts(scene.dirPath), []);
      }
    },
  );
}
