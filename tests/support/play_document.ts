/**
 * Carries out what a document says, command by command, as a reader would who has a catalog in
 * `/backup` and room in `/clones`.
 *
 * @module
 */

import assert from "node:assert/strict";
import { PostgresServer, tryFindInstallation } from "../../postgres/mod.ts";
import { checkoutFor } from "./checkout.ts";
import { blocksOf, readDocument } from "./documents.ts";
import type { LonelyNetwork } from "./lonely_network.ts";
import { fuseMounts } from "./mounts.ts";
import { Scene } from "./scene.ts";
import { commandAs, ordinaryUser } from "./users.ts";

/** Which catalog stands for the reader's, and which program for `pbkfs`. */
export interface Reader {
  readonly fixture: "zlib-chain" | "pg17-chain";
  readonly backupId: string;
  readonly majorVersion: 15 | 17;
  /** A directory with `pbkfs` in it; this checkout's if it is left out. */
  readonly binDir?: string;
  /** Where the commands run. */
  readonly network?: LonelyNetwork;
}

/** One for each version that there is a catalog of. */
export const READERS: readonly Reader[] = [
  { fixture: "zlib-chain", backupId: "TOTL9U", majorVersion: 15 },
  { fixture: "pg17-chain", backupId: "TOTLRS", majorVersion: 17 },
];

/** Plays a document from its first line to its last, and fails with what failed and where. */
export async function playDocument(path: string, reader: Reader): Promise<void> {
  const owner = ordinaryUser();
  await using scene = await Scene.open({ ...reader, owner, ownerMounts: true });
  const clonesDir = `${scene.dirPath}/clones`;
  const productionDir = `${scene.dirPath}/production`;
  for (const dir of [clonesDir, productionDir]) {
    Deno.mkdirSync(dir);
    Deno.chownSync(dir, owner.uid, owner.gid);
  }
  const blocks = blocksOf(readDocument(path))
    .filter(({ language, notRun }) => language === "sh" && notRun === undefined);
  const needsProduction = blocks.some(({ text }) => text.includes("-h production"));
  await using production = needsProduction ? await startProduction(scene, productionDir) : null;
  const ports = new Map<string, string>();
  const portOf = (port: string) => ports.get(port) ?? remember(ports, port, `${freePort()}`);
  const adapted = (text: string) =>
    text.replaceAll("/backup", scene.catalogDir)
      .replaceAll("/clones", clonesDir)
      .replaceAll("S9XK2L", reader.backupId)
      .replaceAll(/\b(5433|5499|9187)\b/g, portOf)
      .replaceAll("-h production", production === null ? "" : production.where)
      .replaceAll(/\bshop\b/g, "postgres");
  const env = {
    ...await environmentOf(scene, reader),
    GOLDEN: reader.backupId,
    JOB: "job-1",
  };
  const run = (command: readonly string[]) => runAs(scene, command, env, reader.network);
  try {
    for (const { line, text } of blocks) {
      const { code, output } = await run(["bash", "-euc", adapted(text)]);
      if (code !== 0) throw new Error(`${path}:${line} ended with status ${code}:\n${output}`);
    }
    const copied = await production?.server.query("select count(*) > 1000 from accounts");
    if (production !== null) assert.equal(copied, "t", "the lost table is there again");
  } finally {
    for (const { mountDir } of fuseMounts(clonesDir)) {
      await run(["pbkfs", "unmount", "--stop-server", "-D", mountDir]);
    }
  }
}

/** A server that has lost its table, under the name that the document has for it. */
async function startProduction(scene: Scene, dirPath: string) {
  const mountDir = `${dirPath}/data`;
  Deno.mkdirSync(mountDir);
  Deno.chownSync(mountDir, scene.owner.uid, scene.owner.gid);
  await using stack = new AsyncDisposableStack();
  stack.use(await scene.mount(undefined, { diffDir: `${dirPath}/diff`, mountDir }));
  const server: PostgresServer = stack.use(await scene.startServer(mountDir));
  await server.query("drop table accounts cascade");
  const where = `-h ${server.socketDir} -p ${server.port}`;
  const owned = stack.move();
  return { where, server, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

async function environmentOf(scene: Scene, reader: Reader): Promise<Record<string, string>> {
  const { dirPath, denoPath, denoDir } = await checkoutFor(scene.owner);
  const binDir = reader.binDir ?? `${scene.dirPath}/bin`;
  if (reader.binDir === undefined) {
    Deno.mkdirSync(binDir);
    const program = `exec ${denoPath} run -A --quiet ${dirPath}/cli.ts "$@"`;
    Deno.writeTextFileSync(`${binDir}/pbkfs`, `#!/bin/sh\n${program}\n`);
    Deno.chmodSync(`${binDir}/pbkfs`, 0o755);
  }
  const installation = tryFindInstallation(reader.majorVersion);
  return {
    PATH: [binDir, installation?.binDir, "/usr/bin", "/bin"].join(":"),
    HOME: scene.dirPath,
    PGUSER: "postgres",
    DENO_NO_UPDATE_CHECK: "1",
    ...(denoDir === undefined || reader.binDir !== undefined ? {} : { DENO_DIR: denoDir }),
  };
}

async function runAs(
  scene: Scene,
  command: readonly string[],
  env: Readonly<Record<string, string>>,
  network: LonelyNetwork | undefined,
): Promise<{ code: number; output: string }> {
  // A server that a command leaves behind would keep a pipe open, so the output goes to a file.
  const outputPath = Deno.makeTempFileSync({ prefix: "pbkfs-doc-" });
  try {
    Deno.chmodSync(outputPath, 0o666);
    const script = `exec >>"$0" 2>&1 </dev/null; "$@"`;
    const all = commandAs(scene.owner, ["bash", "-c", script, outputPath, ...command]);
    const options = { env, cwd: scene.dirPath };
    const [program = "", ...args] = all;
    const { code } = await (network?.run(all, options) ??
      new Deno.Command(program, { args, ...options, stdin: "null" }).output());
    return { code, output: Deno.readTextFileSync(outputPath) };
  } finally {
    Deno.removeSync(outputPath);
  }
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return (listener.addr as Deno.NetAddr).port;
}

function remember<K, V>(map: Map<K, V>, key: K, value: V): V {
  map.set(key, value);
  return value;
}
