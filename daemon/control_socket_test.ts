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
  Deno.test(`a control socket answers in a directory whose name has ${length} letters [FR-720]`, async () => {
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

Deno.test("a socket that a dead process left is replaced, and nobody listens there [FR-720]", async () => {
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

Deno.test("somebody who connects and asks nothing does not keep it from closing [FR-720]", async () => {
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

/** Says something, and reads what comes back. */
async function reply(path: string, text: string): Promise<string> {
  const connection = await Deno.connect({ transport: "unix", path });
  await connection.write(new TextEncoder().encode(text)).catch(() => {});
  const bytes = new Uint8Array(4096);
  const size = await connection.read(bytes).catch(() => null);
  connection.close();
  return new TextDecoder().decode(bytes.subarray(0, size ?? 0));
}

Deno.test("what is no request is refused, however long it is [FR-833]", async () => {
  await inDirectory(4, async (dirPath) => {
    const path = `${dirPath}/control.sock`;
    const server = await ControlServer.listen(path, () => Promise.resolve(ANSWER));
    for (const text of ["\n", "null\n", "7\n", "[]\n", '{"operation":7}\n', "{\n", "\0\xff\n"]) {
      assert.match(await reply(path, text), /"code":"Usage"/, text);
    }
    // The rest of it is not read, so the answer may be lost.
    assert.match(await reply(path, "x".repeat(1 << 20)), /^$|"code":"Usage"/);
    assert.deepEqual(await ask(path, REQUEST), ANSWER);
    await server.close();
  });
});

Deno.test("idle connections do not keep a question waiting [FR-833]", async () => {
  await inDirectory(4, async (dirPath) => {
    const path = `${dirPath}/control.sock`;
    const server = await ControlServer.listen(path, () => Promise.resolve(ANSWER));
    const idle: Deno.UnixConn[] = [];
    for (let at = 0; at < 100; at++) idle.push(await Deno.connect({ transport: "unix", path }));
    assert.deepEqual(await ask(path, REQUEST), ANSWER);
    for (const connection of idle) connection.close();
    await server.close();
  });
});

Deno.test("what answers without an end, or no JSON, is no mount [FR-833]", async () => {
  await inDirectory(4, async (dirPath) => {
    for (const [text, code] of [["x".repeat(4 << 20), "Usage"], ["hello\n", "Io"]] as const) {
      const path = `${dirPath}/control.sock`;
      using listener = Deno.listen({ transport: "unix", path });
      const answered = (async () => {
        using connection = await listener.accept();
        await connection.read(new Uint8Array(100));
        const bytes = new TextEncoder().encode(text);
        try {
          for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
        } catch {
          // Who asked has heard enough.
        }
      })();
      await assert.rejects(ask(path, REQUEST), { code });
      await answered;
      Deno.removeSync(path);
    }
  });
});
