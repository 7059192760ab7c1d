import assert from "node:assert/strict";
import { type ProgramEnd, runBounded } from "./bounded_program.ts";

const LIMITS = { timeoutMs: 60_000, outputBytesMax: 1 << 20 };
const text = new TextDecoder();

function shell(script: string, limits: Partial<typeof LIMITS> = {}): Promise<ProgramEnd> {
  return runBounded("/bin/sh", ["-c", script], { ...LIMITS, ...limits });
}

/** Runs what does not end, and gives the processes whose ids it has written to `$PIDS`. */
async function ended(script: string, kind: ProgramEnd["kind"], count: number): Promise<number[]> {
  const path = await Deno.makeTempFile({ prefix: "pbkfs-pids-" });
  try {
    // Late enough for a slow machine to have begun: one that has not is asked again.
    for (let timeoutMs = 300;; timeoutMs *= 3) {
      const end = await shell(`PIDS=${path}; ${script}`, { timeoutMs });
      const pids = (await Deno.readTextFile(path)).trim().split("\n").filter((line) => line !== "");
      assert.equal(end.kind, kind);
      if (pids.length >= count) return pids.map(Number);
      await Deno.truncate(path);
    }
  } finally {
    await Deno.remove(path);
  }
}

async function mustBeGone(pids: readonly number[]): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (pids.some(isRunning)) {
    assert(Date.now() < deadline, `${pids.filter(isRunning)} are still there`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** In a container there may be nobody who waits for orphans: what is left of them does not count. */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(Deno.readTextFileSync(`/proc/${pid}/status`));
  } catch {
    return false;
  }
}

Deno.test("a program that ends gives its output, its talk and its status [FR-166]", async () => {
  const end = await shell("echo data; echo talk >&2; exit 3");
  assert(end.kind === "exited");
  assert.deepEqual([end.code, end.signal], [3, null]);
  assert.deepEqual([text.decode(end.stdout), text.decode(end.stderr)], ["data\n", "talk\n"]);
  const killed = await shell("kill -9 $$");
  assert(killed.kind === "exited");
  assert.deepEqual([killed.code, killed.signal], [null, "SIGKILL"]);
});

Deno.test("a program that cannot be started says why [FR-166]", async () => {
  await assert.rejects(runBounded("/none", [], LIMITS), Deno.errors.NotFound);
  await assert.rejects(runBounded("pbkfs-no-such-program", [], LIMITS), Deno.errors.NotFound);
  await assert.rejects(runBounded("/etc/passwd", [], LIMITS), /EACCES/);
});

Deno.test("a program that ignores signals is killed, and so are those that it started [FR-166]", async () => {
  await mustBeGone(
    await ended(
      `trap '' TERM INT HUP; sleep 1000 & echo $! >> $PIDS; (sleep 1001 & echo $! >> $PIDS)
       echo $$ >> $PIDS; while :; do sleep 1; done`,
      "late",
      3,
    ),
  );
});

Deno.test("a stopped program is killed, and a child that left its session [FR-166]", async () => {
  await mustBeGone(
    await ended(
      `setsid sleep 1000 & echo $! >> $PIDS; echo $$ >> $PIDS; kill -STOP $$`,
      "late",
      2,
    ),
  );
});

Deno.test("who holds the output of a program that has ended is not waited for [FR-166]", async () => {
  const path = await Deno.makeTempFile({ prefix: "pbkfs-pids-" });
  const end = await shell(`echo all; sleep 1000 & echo $! > ${path}`);
  const holder = Number(await Deno.readTextFile(path));
  await Deno.remove(path);
  assert(isRunning(holder), "what it leaves behind by intention stays");
  Deno.kill(holder, "SIGKILL");
  assert(end.kind === "exited");
  assert.equal(end.code, 0);
  assert.equal(text.decode(end.stdout), "all\n");
});

Deno.test("output without end is cut short; talk without end takes no memory [FR-166]", async () => {
  await mustBeGone(await ended("echo $$ >> $PIDS; exec yes", "endless", 1));
  assert.equal((await shell("yes | head -c 1048576")).kind, "exited");
  assert.equal((await shell("yes | head -c 1048577")).kind, "endless");
  const end = await shell("yes talk | head -c 30000000 >&2; echo the end >&2; echo data");
  assert(end.kind === "exited");
  assert.equal(text.decode(end.stdout), "data\n");
  assert(end.stderr.length <= 1 << 16, `${end.stderr.length} bytes are kept`);
  assert(text.decode(end.stderr).endsWith("the end\n"));
});

Deno.test("who interrupts us ends the program as well [FR-166]", async () => {
  const module = new URL("bounded_program.ts", import.meta.url);
  const path = await Deno.makeTempFile({ prefix: "pbkfs-pids-" });
  const code = `import { runBounded } from ${JSON.stringify(module)};
    const script = "echo $$ > ${path}; exec sleep 1000";
    await runBounded("/bin/sh", ["-c", script], { timeoutMs: 600_000, outputBytesMax: 9 });`;
  const us = new Deno.Command(Deno.execPath(), {
    args: ["eval", code],
    stdin: "null",
    stderr: "null",
  }).spawn();
  let pid = 0;
  while (pid === 0) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    pid = Number(await Deno.readTextFile(path));
  }
  us.kill("SIGTERM");
  assert.equal((await us.status).signal, "SIGTERM");
  await mustBeGone([pid]);
  await Deno.remove(path);
});
