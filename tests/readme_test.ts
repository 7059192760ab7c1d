/** The commands of README.md, as they stand there, with the installed program and no network. */

import assert from "node:assert/strict";
import { runScript } from "./support/installed.ts";
import { LonelyNetwork } from "./support/lonely_network.ts";
import { playDocument, READERS } from "./support/play_document.ts";
import { mountObstacle, type Obstacle, serverObstacle, testUnless } from "./support/skip.ts";
import { tellingAll } from "./support/suppressed.ts";
import { TempDir } from "./support/temp_dir.ts";
import { isRoot } from "./support/users.ts";

const rootObstacle: Obstacle = isRoot() ? undefined : "a network of its own needs root";

for (const reader of READERS) {
  const { majorVersion } = reader;
  testUnless(
    rootObstacle ?? mountObstacle("ordinary user") ?? serverObstacle(majorVersion) ??
      LonelyNetwork.obstacle(),
    `the commands of README work as they stand, with PostgreSQL ${majorVersion} [FR-906]`,
    () =>
      tellingAll(async () => {
        await using dir = TempDir.make();
        const installed = await runScript(["install", "--prefix", dir.path]);
        assert.equal(installed.code, 0, installed.stderr);
        await using network = await LonelyNetwork.open();
        await playDocument("README.md", { ...reader, binDir: `${dir.path}/bin`, network });
      }),
  );
}
