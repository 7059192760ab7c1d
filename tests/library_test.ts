/** What other programs may import. */

import assert from "node:assert/strict";
import config from "../deno.json" with { type: "json" };
import { unpackFixture } from "./support/fixtures.ts";

Deno.test("the examples of the library run on a catalog [FR-766]", async () => {
  await using fixture = await unpackFixture("zlib-chain");
  const module = new URL("../mod.ts", import.meta.url);
  const { compilerOptions, imports } = config;
  const configPath = `${fixture.dirPath}/deno.json`;
  const examples = {
    compilerOptions: {
      ...compilerOptions,
      // What the examples import, Deno imports for them as well.
      noUnusedLocals: false,
    },
    imports: { ...imports, [config.name]: module.href },
    nodeModulesDir: "none",
  };
  Deno.writeTextFileSync(configPath, JSON.stringify(examples));
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["test", "--doc", "-A", "--no-lock", "--config", configPath, module.pathname],
    // The examples call their catalog "catalog".
    cwd: fixture.dirPath,
    env: { NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
  }).output();
  const text = new TextDecoder().decode(stdout);
  assert.equal(code, 0, text + new TextDecoder().decode(stderr));
  assert.match(text, /ok \| 3 passed/);
});

Deno.test("everything that the library exports is documented [FR-940]", async () => {
  const mod = new URL("../mod.ts", import.meta.url).pathname;
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["doc", "--lint", mod],
    env: { NO_COLOR: "1" },
    stdout: "null",
    stderr: "piped",
  }).output();
  assert(success, new TextDecoder().decode(stderr));
});
