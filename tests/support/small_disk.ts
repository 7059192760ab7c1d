/**
 * A file system of a size that a test chooses, in a sparse file.
 *
 * @module
 */

import { isRoot } from "./users.ts";

/** What keeps us from mounting one; undefined: nothing. */
export function smallDiskObstacle(program = "mkfs.ext4"): string | undefined {
  if (!isRoot()) return "only root may mount an image";
  try {
    Deno.statSync("/dev/loop-control");
  } catch {
    return "there are no loop devices";
  }
  const { success } = new Deno.Command("sh", { args: ["-c", `command -v ${program}`] })
    .outputSync();
  return success ? undefined : `there is no ${program}`;
}

/** What to make. */
export interface SmallDiskOptions {
  /** An existing directory: the image lies beside it. */
  readonly dirPath: string;
  readonly megabytes: number;
  /** The program that makes the file system, and what else to tell it. */
  readonly mkfs?: readonly string[];
}

/** Makes and mounts it, for the length of a scope. */
export function mountSmallDisk(options: SmallDiskOptions): AsyncDisposable {
  const { dirPath, megabytes, mkfs = ["mkfs.ext4", "-q", "-m", "0"] } = options;
  const imagePath = `${dirPath}.image`;
  const [program = "", ...args] = mkfs;
  Deno.writeFileSync(imagePath, new Uint8Array());
  Deno.truncateSync(imagePath, megabytes << 20);
  run(program, [...args, imagePath]);
  run("mount", ["-o", "loop", imagePath, dirPath]);
  Deno.chmodSync(dirPath, 0o777);
  return {
    [Symbol.asyncDispose]() {
      run("umount", ["-l", dirPath]);
      Deno.removeSync(imagePath);
      return Promise.resolve();
    },
  };
}

function run(program: string, args: readonly string[]): void {
  const { success, stderr } = new Deno.Command(program, { args: [...args] }).outputSync();
  if (!success) throw new Error(`${program}: ${new TextDecoder().decode(stderr)}`);
}

/** What is left for ordinary users, in bytes. */
export function freeBytes(path: string): number {
  const { stdout } = new Deno.Command("stat", { args: ["-f", "-c", "%a %S", path] }).outputSync();
  const [blocks = 0, size = 0] = new TextDecoder().decode(stdout).trim().split(" ").map(Number);
  return blocks * size;
}
