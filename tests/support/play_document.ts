/**
 * Carries out what a document says, command by command, as a reader would who has a catalog in
 * `/backup` and room in `/clones`.
 *
 * @module
 */

import { PostgresServer, tryFindInstallation } from "../../postgres/mod.ts";
import { checkoutFor } from "./checkout.ts";
import { blocksOf, readDocument } from "./documents.ts";
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
}

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
  try {
    for (const { line, text } of blocks) {
      const { code, output } = await runAs(scene, ["bash", "-euc", adapted(text)], env);
      if (code !== 0) throw new Error(`${path}:${line} ended with status ${code}:\n${output}`);
    }
  } finally {
    for (const { mountDir } of fuseMounts(clonesDir)) {
      await runAs(scene, ["pg_ctl", "-D", mountDir, "-m", "immediate", "stop"], env);
      await runAs(scene, ["pbkfs", "unmount", "-D", mountDir], env);
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
  return { where, [Symbol.asyncDispose]: () => owned.disposeAsync() };
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
    PATH: [binDir, installation?.binDir, Deno.env.get("PATH")].join(":"),
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
): Promise<{ code: number; output: string }> {
  const [program = "", ...args] = commandAs(scene.owner, command);
  // A server that a command leaves behind would keep a pipe open, so the output goes to a file.
  const outputPath = Deno.makeTempFileSync({ prefix: "pbkfs-doc-" });
  try {
    const script = `exec >>"$0" 2>&1 </dev/null; "$@"`;
    const { code } = await new Deno.Command("bash", {
      args: ["-c", script, outputPath, program, ...args],
      cwd: scene.dirPath,
      env: { ...env },
      stdin: "null",
      signal: AbortSignal.timeout(120_000),
    }).output();
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
