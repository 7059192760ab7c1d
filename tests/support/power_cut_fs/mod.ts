/**
 * A mounted disk that may lose power.
 *
 * @module
 */

import { existsSync } from "node:fs";
import { detachMounts } from "../mounts.ts";

/** What to mount. Directories but `leftPath` exist. */
export interface PowerCutDiskOptions {
  /** What is on the disk; nobody changes it. */
  readonly imagePath: string;
  readonly mountPath: string;
  /** Where a power cut writes what is left. */
  readonly leftPath: string;
  /** Chooses what is left. */
  readonly seed: number;
}

/** The disk. `await using` it. */
export class PowerCutDisk {
  readonly #options: PowerCutDiskOptions;
  readonly #child: Deno.ChildProcess;

  private constructor(options: PowerCutDiskOptions, child: Deno.ChildProcess) {
    this.#options = options;
    this.#child = child;
  }

  static async mount(options: PowerCutDiskOptions): Promise<PowerCutDisk> {
    const { imagePath, mountPath, leftPath, seed } = options;
    const main = new URL("./main.ts", import.meta.url).pathname;
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", main, imagePath, mountPath, leftPath, `${seed}`],
      env: { DENO_NO_UPDATE_CHECK: "1" },
      stdin: "null",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const disk = new PowerCutDisk(options, child);
    const reader = child.stdout.getReader();
    const { done } = await reader.read();
    await reader.cancel();
    if (done) {
      await disk[Symbol.asyncDispose]();
      throw new Error("the disk could not be mounted");
    }
    return disk;
  }

  /** Whether the power is gone. */
  get isCut(): boolean {
    return existsSync(this.#options.leftPath);
  }

  /** Cuts the power before the given change or sync from now on. */
  cutAfter(changes: number): void {
    this.#tell(`.power-cut-after-${changes}`);
  }

  /** Cuts the power, if it is still there. What is left is written when this returns. */
  cut(): void {
    this.#tell(".power-cut");
    if (!this.isCut) throw new Error("the disk did not write what is left");
  }

  /** Unmounts; without a cut, nothing is written. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended by itself.
    }
    await this.#child.status;
    detachMounts(this.#options.mountPath);
  }

  #tell(name: string): void {
    try {
      Deno.mkdirSync(`${this.#options.mountPath}/${name}`);
    } catch {
      // That is how it answers; after a cut it answers everything with an error.
    }
  }
}
