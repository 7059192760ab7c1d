import assert from "node:assert/strict";
import { asciiJson, guarded } from "./guardian.ts";

/** Shells that `/bin/sh` may be. */
const SHELLS = ["/bin/sh", "/bin/dash", "/bin/bash", "/bin/busybox"].filter((path) => {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
});

const REQUEST = {
  text: "\u0081 ü 日本 🐘 'quoted' \"twice\" $(exit 9) `exit 9` \\n %s \n",
  long: "x".repeat(200_000),
};

interface Life {
  readonly status: number;
  /** What each daemon wrote about itself. */
  readonly starts: readonly string[];
  /** What each was given. */
  readonly requests: readonly unknown[];
}

/**
 * Lets a guardian watch daemons that do what `script` says. Each first writes its arguments to
 * `starts`, and what it is given to a file of its own.
 */
async function watch(
  shell: string,
  script: string,
  meanwhile: (guardian: Deno.ChildProcess, dirPath: string) => Promise<void> = async () => {},
): Promise<Life> {
  const dirPath = Deno.makeTempDirSync({ prefix: "pbkfs-test-" });
  try {
    const begin = `cat >"${dirPath}/request-$2"; echo "$*" >>"${dirPath}/starts"; `;
    const args = ["-c", begin + script, "daemon"];
    const daemon = { program: "/bin/sh", args, env: { PATH: "/usr/bin:/bin", DIR: dirPath } };
    const place = { diffPath: "/a diff", mountPath: "/a 'mount'" };
    const call = guarded(daemon, place, shell);
    const isBusybox = shell.endsWith("busybox");
    const guardian = new Deno.Command(call.program, {
      args: [...(isBusybox ? ["sh"] : []), ...call.args],
      env: call.env,
      clearEnv: true,
      stdin: "piped",
      stdout: "null",
      stderr: "null",
    }).spawn();
    await new Response(asciiJson(REQUEST)).body?.pipeTo(guardian.stdin);
    await meanwhile(guardian, dirPath);
    const { code } = await guardian.status;
    const starts = Deno.readTextFileSync(`${dirPath}/starts`).trimEnd().split("\n");
    const requests = starts.map((_, index) =>
      JSON.parse(Deno.readTextFileSync(`${dirPath}/request-${index}`))
    );
    return { status: code, starts: starts.map((line) => line.replace(/^\d+ /, "")), requests };
  } finally {
    Deno.removeSync(dirPath, { recursive: true });
  }
}

for (const shell of SHELLS) {
  Deno.test(`${shell} hands the request on as it is, and the daemon's status back [FR-773]`, async () => {
    for (const status of [0, 2, 21, 71, 99]) {
      const life = await watch(shell, `exit ${status}`);
      assert.deepEqual(life, { status, starts: ["0"], requests: [REQUEST] });
    }
  });

  Deno.test(`${shell} starts another daemon after a death, and tells of the last three [FR-773]`, async () => {
    const script =
      "case $2 in 0) kill -9 $$ ;; 1) exit 1 ;; 2) kill -s SEGV $$ ;; *) exit 21 ;; esac";
    const { status, starts, requests } = await watch(shell, script);
    assert.equal(status, 21);
    const deaths = starts.map((line) =>
      line.split(" ").slice(1).map((death) => death.split(":")[1])
    );
    assert.deepEqual(deaths, [[], ["137"], ["137", "1"], ["137", "1", "139"]]);
    const [, ...pids] = (starts[3] ?? "").split(" ").map((death) => Number(death.split(":")[0]));
    assert(new Set(pids).size === 3 && pids.every((pid) => pid > 1), starts[3]);
    assert.deepEqual(requests, [REQUEST, REQUEST, REQUEST, REQUEST]);
  });

  Deno.test(`${shell} passes SIGTERM on, however many come, and waits for the end [FR-773]`, async () => {
    // The daemon needs a while; what it ends with is what counts.
    const script =
      'trap "sleep 0.1; exit 7" TERM; echo >"$DIR/there"; while :; do sleep 0.01; done';
    const { status, starts } = await watch(shell, script, async (guardian, dirPath) => {
      await untilThere(`${dirPath}/there`);
      for (let count = 0; count < 30; count++) {
        guardian.kill(count % 3 === 0 ? "SIGHUP" : "SIGTERM");
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    });
    assert.equal(status, 7);
    assert.match(starts.join(), /^0(,1 ending \d+:255:\d+)?$/);
  });

  Deno.test(`${shell}: who dies while it is to end is followed by one that knows [FR-773]`, async () => {
    const script =
      'case $3 in ending) exit 0 ;; esac; echo >"$DIR/there"; while :; do sleep 0.05; done';
    const { status, starts } = await watch(shell, script, async (guardian, dirPath) => {
      await untilThere(`${dirPath}/there`);
      guardian.kill("SIGTERM");
    });
    assert.equal(status, 0);
    assert.match(starts[1] ?? "", /^1 ending \d+:(143|255):\d+$/);
  });
}

async function untilThere(path: string): Promise<void> {
  for (let tries = 0; tries < 2000; tries++) {
    try {
      Deno.statSync(path);
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
  throw new Error(`${path} does not appear`);
}
