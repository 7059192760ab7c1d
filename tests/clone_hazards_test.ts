/** What an operator is told before a server is started on a new clone. */

import assert from "node:assert/strict";
import { Scene } from "./support/scene.ts";
import { mountObstacle, testUnless } from "./support/skip.ts";
import { ordinaryUser } from "./support/users.ts";

testUnless(
  mountObstacle(),
  "settings that cannot be defused are told at the first mount [FR-769]",
  async () => {
    await using scene = await Scene.open({ fixture: "damaged", owner: ordinaryUser() });
    // This backup stores its files as they are.
    const database = `${scene.catalogDir}/backups/main/TOTLEQ/database`;
    const path = `${database}/postgresql.conf`;
    const text = Deno.readTextFileSync(path);
    const line = "shared_preload_libraries = 'pglogical'\n";
    Deno.writeTextFileSync(path, line + text.slice(0, text.length - line.length));
    const mount = await scene.mount("TOTLEQ");
    assert.match(mount.printed.stderr, /preloads pglogical/);
    await mount.unmount();
    assert.match(Deno.readTextFileSync(`${scene.diffDir}/pbkfs.log`), /warning .*pglogical/);
  },
);
