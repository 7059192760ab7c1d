/**
 * Asks a mount what it is and what it has done.
 *
 * @module
 */

import { checkArguments } from "../backup/mod.ts";
import { pathsIn } from "../binding/mod.ts";
import { ask } from "../daemon/mod.ts";
import { PbkfsError } from "../errors.ts";
import type { MountStatus } from "../observe/mod.ts";
import { findMount } from "./find_mount.ts";

/** What a mount tells of itself. @throws {PbkfsError} `NotMounted`. */
export async function mountStatus(mountPath: string): Promise<MountStatus> {
  checkArguments("mountStatus", { mountPath }, { mountPath: "string" });
  const mount = findMount({ mountPath });
  const answer = await ask(pathsIn(mount.diffPath).socket, { operation: "status" });
  if (answer === undefined) {
    throw new PbkfsError("NotMounted", {
      what: `The process behind the mount on "${mount.mountPath}" is gone`,
      todo: `Clean up with: pbkfs unmount -D "${mount.mountPath}"`,
    });
  }
  if ("error" in answer) throw PbkfsError.fromJSON(answer.error);
  if ("status" in answer) return answer.status;
  throw new PbkfsError("Bug", { what: `Unexpected answer ${JSON.stringify(answer)}` });
}
