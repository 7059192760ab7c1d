/** `--metrics`: a mount's numbers for Prometheus. */

import assert from "node:assert/strict";
import { CODES } from "../errors.ts";
import { runCli } from "./support/cli.ts";
import { mountArguments } from "./support/mount_backup.ts";
import { Scene } from "./support/scene.ts";
import { mountObstacle, testUnless } from "./support/skip.ts";
import { ordinaryUser } from "./support/users.ts";

const open = () => Scene.open({ fixture: "zlib-chain", owner: ordinaryUser() });

/** A port that is free now. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** Reads the text format strictly. @returns Each sample by its name and labels. */
function parse(text: string): Map<string, number> {
  const samples = new Map<string, number>();
  let family = "";
  for (const line of text.trimEnd().split("\n")) {
    const type = /^# TYPE (pbkfs_[a-z_]+) (counter|gauge|histogram)$/.exec(line);
    if (type !== null) family = type[1] ?? "";
    if (line.startsWith("# HELP ") || type !== null) continue;
    const sample = /^(pbkfs_[a-z_]+)(\{[a-z]+="[^"\n]*"(?:,[a-z]+="[^"\n]*")*\})? (\S+)$/.exec(
      line,
    );
    assert(sample !== null, line);
    assert(sample[1]?.startsWith(family), `${line} is of ${family}`);
    assert(Number.isFinite(Number(sample[3])), line);
    samples.set(`${sample[1]}${sample[2] ?? ""}`, Number(sample[3]));
  }
  return samples;
}

testUnless(
  mountObstacle(),
  "--metrics serves what a mount has done, in Prometheus' format [FR-760]",
  async () => {
    await using scene = await open();
    const port = freePort();
    await using _mount = await scene.mount("TOTL9U", { extra: ["--metrics", `${port}`] });
    Deno.writeTextFileSync(`${scene.mountDir}/new`, "x".repeat(50_000));
    const file = Deno.openSync(`${scene.mountDir}/new`);
    file.syncSync();
    file.close();
    const response = await fetch(`http://127.0.0.1:${port}/metrics`);
    assert.match(response.headers.get("content-type") ?? "", /^text\/plain; version=0\.0\.4/);
    const samples = parse(await response.text());
    assert.equal(samples.get("pbkfs_written_bytes_total"), 50_000);
    assert([...samples.keys()].some((key) => /^pbkfs_mount_info\{.*backup="TOTL9U"/.test(key)));
    const of = (name: string) => samples.get(`pbkfs_request_duration_seconds_${name}`) ?? NaN;
    assert(of('count{kind="sync"}') >= 1);
    assert.equal(of('bucket{kind="sync",le="+Inf"}'), of('count{kind="sync"}'));
    assert((samples.get('pbkfs_diff_bytes{part="data"}') ?? 0) >= 50_000);
    const other = await fetch(`http://127.0.0.1:${port}/`);
    assert.equal(other.status, 404);
    await other.body?.cancel();
  },
);

testUnless(
  mountObstacle(),
  "an address that is in use is refused, and nothing stays [FR-760]",
  async () => {
    await using scene = await open();
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const extra = ["--metrics", `127.0.0.1:${listener.addr.port}`];
    const { code, stderr } = await runCli(mountArguments(scene.mountOptions("TOTL9U", { extra })));
    assert.equal(code, CODES.AddressUnusable.exitCode, stderr);
    assert(![...Deno.readDirSync(scene.dirPath)].some(({ name }) => name === "diff"));
  },
);
