import assert from "node:assert/strict";
import { ask, ControlServer } from "./control_socket.ts";
import type { ControlAnswer, ControlRequest } from "./protocol.ts";

const ANSWER: ControlAnswer = { unmounted: true, pid: 7 };
const REQUEST: ControlRequest = { operation: "unmount" };

/** Runs `body` with a new directory whose path is at least that long. */
async function inDirectory(length: number, body: (dirPath: string) => Promise<void>) {
  const top = Deno.makeTempDirSync({ prefix: "pbkfs-test-" });
  const dirPath = `${top}/${"long".repeat(Math.ceil(length / 4))}`;
  Deno.mkdirSync(dirPath);
  try {
    await body(dirPath);
  } finally {
    Deno.removeSync(top, { recursive: true });
  }
}

for (const length of [4, 200]) {
  Deno.test(`FR-720 a control socket answers in a directory whose name has ${length} letters`, async () => {
    await inDirectory(length, async (dirPath) => {
      const path = `${dirPath}/control.sock`;
      assert.equal(await ask(path, REQUEST), undefined);
      const asked: ControlRequest[] = [];
      const server = await ControlServer.listen(path, (request) => {
        asked.push(request);
        return Promise.resolve(ANSWER);
      });
      assert.equal((Deno.lstatSync(path).mode ?? 0) & 0o777, 0o600);
      assert.deepEqual(await ask(path, REQUEST), ANSWER);
      assert.deepEqual(asked, [REQUEST]);
      await server.close();
      assert.equal(await ask(path, REQUEST), undefined);
      assert.deepEqual([...Deno.readDirSync(dirPath)], []);
    });
  });
}

Deno.test("FR-720 a socket that a dead process left is replaced, and nobody listens there", async () => {
  await inDirectory(4, async (dirPath) => {
    const path = `${dirPath}/control.sock`;
    const left = Deno.listen({ transport: "unix", path });
    left.close();
    assert.equal(await ask(path, REQUEST), undefined);
    const server = await ControlServer.listen(path, () => Promise.resolve(ANSWER));
    assert.deepEqual(await ask(path, REQUEST), ANSWER);
    await server.close();
  });
});

Deno.test("FR-720 somebody who connects and asks nothing does not keep it from closing", async () => {
  await inDirectory(4, async (dirPath) => {
    const path = `${dirPath}/control.sock`;
    const server = await ControlServer.listen(path, () => Promise.resolve(ANSWER));
    const silent = await Deno.connect({ transport: "unix", path });
    await new Promise((resolve) => setTimeout(resolve, 50));
    const start = Date.now();
    await server.close();
    assert(Date.now() - start < 5_000);
    silent.close();
    await new Promise((resolve) => setTimeout(resolve, 50));
  });
});
