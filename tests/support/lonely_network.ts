/**
 * A network with nobody else in it, in which all ports are free and no other machine is reached.
 *
 * @module
 */

import type { CliOutcome } from "./cli.ts";
import { waitUntil } from "./daemon_process.ts";
import type { Obstacle } from "./skip.ts";

/** Its interface for this machine alone, `lo`, is up. `await using` it; root only. */
export class LonelyNetwork implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
  }

  /** What keeps us from making one. */
  static obstacle(): Obstacle {
    try {
      const args = ["--net", "ip", "link", "set", "lo", "up"];
      if (new Deno.Command("unshare", { args }).outputSync().success) return undefined;
    } catch {
      // As if it had failed.
    }
    return "unshare --net, or ip, does not work";
  }

  /** Returns when it is there. */
  static async open(): Promise<LonelyNetwork> {
    const script = "ip link set lo up && exec sleep 600";
    const child = new Deno.Command("unshare", { args: ["--net", "sh", "-c", script] }).spawn();
    const network = new LonelyNetwork(child);
    const isThere = () => Deno.readTextFileSync(`/proc/${child.pid}/comm`).trim() === "sleep";
    if (await waitUntil(isThere)) return network;
    await network[Symbol.asyncDispose]();
    throw new Error("The network is not there in time");
  }

  /** Runs a command in it, with this environment and no other. */
  async run(
    command: readonly string[],
    options: { readonly env: Readonly<Record<string, string>>; readonly cwd: string },
  ): Promise<CliOutcome> {
    const { code, stdout, stderr } = await new Deno.Command("nsenter", {
      args: ["-t", `${this.#child.pid}`, "--net", "--", ...command],
      clearEnv: true,
      stdin: "null",
      ...options,
    }).output();
    const text = new TextDecoder();
    return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.status;
  }
}
