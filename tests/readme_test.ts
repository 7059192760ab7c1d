/** The commands of README.md, as they stand there, with the installed program. */

import assert from "node:assert/strict";
import { tryFindInstallation } from "../postgres/mod.ts";
import type { FixtureName } from "./support/fixtures.ts";
import { LonelyNetwork } from "./support/lonely_network.ts";
import { runScript } from "./support/installed.ts";
import { fuseMounts } from "./support/mounts.ts";
import { Scene } from "./support/scene.ts";
import { mountObstacle, type Obstacle, serverObstacle, testUnless } from "./support/skip.ts";
import { commandAs, isRoot, ordinaryUser } from "./support/users.ts";

const README = Deno.readTextFileSync(new URL("../README.md", import.meta.url));
/** The parts whose commands are run, in their order. */
const PARTS = ["The first mount", "What people do first"];

/** The blocks of commands in those parts. */
function blocks(): string[] {
  return PARTS.flatMap((title) => {
    const start = README.indexOf(`\n## ${title}\n`);
    assert(start >= 0, `README.md has a part "${title}"`);
    const end = README.indexOf("\n## ", start + 1);
    const part = README.slice(start, end < 0 ? undefined : end);
    return [...part.matchAll(/^```\w*\n([^]*?)^```$/gm)].map(([, text = ""]) => text);
  });
}

/** What the blocks name that is the reader's own, and what stands in for it. */
function substituted(block: string, scene: Scene, backupId: string): string {
  const places: [RegExp, string][] = [
    [/\/backup\b/g, scene.catalogDir],
    [/\/clones\//g, `${scene.dirPath}/clones/`],
    [/\/ci\//g, `${scene.dirPath}/ci/`],
    [/\bS9XK2L\b/g, backupId],
    [/\bpsql -h production shop\b/g, "psql -p 5433 -v ON_ERROR_STOP=1 production"],
    [/\bshop\b/g, "postgres"],
  ];
  return places.reduce((text, [name, place]) => text.replaceAll(name, place), block);
}

/** The directory for sockets that a backup's settings name, as on the machine that was backed up. */
function socketDirectory({ catalogDir, owner }: Scene): AsyncDisposable {
  const instancePath = `${catalogDir}/backups/main`;
  const [full = ""] = [...Deno.readDirSync(instancePath)].filter(({ isDirectory }) => isDirectory)
    .map(({ name }) => name).sort();
  const settings = Deno.readTextFileSync(`${instancePath}/${full}/database/postgresql.conf`);
  const path = /^unix_socket_directories = '(.+)'/m.exec(settings)?.[1] ?? "";
  Deno.mkdirSync(path);
  Deno.chownSync(path, owner.uid, owner.gid);
  return { [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

const rootObstacle: Obstacle = isRoot() ? undefined : "a network of its own needs root";
const SAMPLES: readonly { fixture: FixtureName; backupId: string; majorVersion: number }[] = [
  { fixture: "zlib-chain", backupId: "TOTL9U", majorVersion: 15 },
  { fixture: "pg17-chain", backupId: "TOTLRS", majorVersion: 17 },
];

for (const { fixture, backupId, majorVersion } of SAMPLES) {
  testUnless(
    rootObstacle ?? mountObstacle("ordinary user") ?? serverObstacle(majorVersion) ??
      LonelyNetwork.obstacle(),
    `FR-906 the commands of README work as they stand, with PostgreSQL ${majorVersion}`,
    async () => {
      const user = ordinaryUser();
      await using scene = await Scene.open({ fixture, owner: user, majorVersion });
      const { dirPath } = scene;
      const prefix = `${dirPath}/prefix`;
      const installed = await runScript(["install", "--prefix", prefix]);
      assert.equal(installed.code, 0, installed.stderr);
      for (const name of ["clones", "ci"]) {
        Deno.mkdirSync(`${dirPath}/${name}`);
        Deno.chownSync(`${dirPath}/${name}`, user.uid, user.gid);
      }

      await using _sockets = socketDirectory(scene);
      await using network = await LonelyNetwork.open();
      const { binDir = "" } = tryFindInstallation(majorVersion) ?? {};
      const env = {
        PATH: `${prefix}/bin:${binDir}:/usr/bin:/bin`,
        HOME: dirPath,
        ...{ PGHOST: "127.0.0.1", PGUSER: "postgres", PGDATABASE: "postgres" },
        ...{ GOLDEN: "latest", JOB: "job7" },
      };
      // Servers keep what they were given open, so their output is a file.
      const output = `${dirPath}/clones/output`;
      const shell = async (script: string) => {
        const lines = `exec >"$0" 2>&1 </dev/null\n${script}`;
        const command = commandAs(user, ["sh", "-e", "-c", lines, output]);
        const { code } = await network.run(command, { env, cwd: `${dirPath}/clones` });
        const printed = Deno.readTextFileSync(output);
        assert.equal(code, 0, `${script}\n${printed}`);
        return printed;
      };

      const found = blocks().map((block) => substituted(block, scene, backupId));
      const made = found.join("").matchAll(/ -D ("?)(\/[^\s"]+)\1/g);
      const mountDirs = new Set([...made].map(([, , path = ""]) => path.replace("$JOB", "job7")));
      for (const path of mountDirs) {
        for (const one of path.includes("$who") ? ["ann", "bob"] : [""]) {
          await shell(`mkdir -p "${path.replace("$who", one)}"`);
        }
      }
      try {
        for (const block of found) {
          if (block.includes("production")) {
            await shell("psql -p 5433 -c 'create database production'");
          }
          const printed = await shell(block);
          if (/select balance/.test(block)) assert.match(printed, /^\(\d rows?\)$/m);
        }
        const copied = "select count(*) > 1000 from accounts";
        assert.match(await shell(`psql -p 5433 -XAt -c '${copied}' production`), /^t$/m);
        const mounted = fuseMounts(dirPath).map(({ mountDir }) => mountDir.split("/").at(-1));
        assert.deepEqual(mounted.sort(), ["ann", "bob", "job7", "look"]);
      } finally {
        await shell(`pg_ctl -D ${dirPath}/clones/look -m fast stop || true`);
        for (const { mountDir } of fuseMounts(dirPath)) await shell(`pbkfs unmount -D ${mountDir}`);
      }
      assert.deepEqual(fuseMounts(dirPath), []);
    },
  );
}
