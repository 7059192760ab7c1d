import assert from "node:assert/strict";
import { Scene } from "../support/scene.ts";
import { mountObstacle, serverObstacle, testUnless } from "../support/skip.ts";
import { mustBeDurable, shownBy } from "../support/durable.ts";
import { ordinaryUser } from "../support/users.ts";
import { Clone } from "./clone.ts";

testUnless(
  mountObstacle() ?? serverObstacle(15),
  "a server of the crash tests syncs, though the sample that it runs on says otherwise [FR-888]",
  async () => {
    await using scene = await Scene.open({ fixture: "zlib-chain", owner: ordinaryUser() });
    const options = scene.mountOptions("TOTL9U");
    const clone = new Clone({ ...options, owner: scene.owner, majorVersion: 15 });
    try {
      await clone.mount();
      {
        await using server = await scene.startServer();
        assert.equal((await shownBy(server)).fsync, "off", "the sample's own setting");
        await assert.rejects(mustBeDurable(server), { code: "ERR_ASSERTION" });
      }
      await mustBeDurable(await clone.startServer());
    } finally {
      await clone.cleanUp();
    }
  },
);
