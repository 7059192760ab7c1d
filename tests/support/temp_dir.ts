/**
 * Directories that are gone when the test is over.
 *
 * @module
 */

import type { Identity } from "../../postgres/mod.ts";
import { detachMounts } from "./mounts.ts";

/** A new directory with a resolved path. `await using` it: leaving the scope removes it. */
export class TempDir {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  /**
   * Makes one that others may enter, but not list: users that a test becomes need to get through.
   *
   * @param owner Who owns it, if not we.
   */
  static make(owner?: Identity): TempDir {
    const path = Deno.realPathSync(Deno.makeTempDirSync({ prefix: "pbkfs-test-" }));
    Deno.chmodSync(path, 0o711);
    if (owner !== undefined) Deno.chownSync(path, owner.uid, owner.gid);
    return new TempDir(path);
  }

  /** Removes it, but never through a mount: one that is left is detached, and is an error. */
  async [Symbol.asyncDispose](): Promise<void> {
    const left = detachMounts(this.path);
    await Deno.remove(this.path, { recursive: true });
    if (left.length > 0) {
      throw new Error(`Still mounted at the end: ${left.map((m) => m.mountDir).join(", ")}`);
    }
  }
}

/** Gives a directory and all that is in it to `owner`. Only root may. */
export async function giveTo(owner: Identity, path: string): Promise<void> {
  const args = ["-R", "-h", `${owner.uid}:${owner.gid}`, path];
  const { success, stderr } = await new Deno.Command("chown", { args }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}
