/**
 * Holds a mount's background tasks, and lets them go on.
 *
 * @module
 */

import { checkArguments } from "../backup/mod.ts";
import { pathsIn } from "../binding/mod.ts";
import { ask } from "../daemon/mod.ts";
import { PbkfsError } from "../errors.ts";
import type { BackgroundTasks } from "../observe/mod.ts";
import { findServed, type MountPlace } from "./find_mount.ts";

/**
 * Has a mount begin no background task, and the one that runs stop at its next rest. Requests are
 * served as ever; what nobody has synced is committed after ten seconds instead of five.
 *
 * @returns What the tasks do now.
 * @throws {PbkfsError} `NotMounted`.
 */
export function pauseTasks(place: MountPlace): Promise<BackgroundTasks> {
  return tell("pauseTasks", place, "pause");
}

/** Ends a pause. @returns What the tasks do now. @throws {PbkfsError} `NotMounted`. */
export function resumeTasks(place: MountPlace): Promise<BackgroundTasks> {
  return tell("resumeTasks", place, "resume");
}

async function tell(
  name: string,
  place: MountPlace,
  operation: "pause" | "resume",
): Promise<BackgroundTasks> {
  checkArguments(name, place, { mountPath: "string?", diffPath: "string?" });
  const { mount } = await findServed(place);
  const answer = await ask(pathsIn(mount.diffPath).socket, { operation });
  if (answer === undefined) {
    throw new PbkfsError("NotMounted", {
      what: `The process behind the mount on "${mount.mountPath}" is gone`,
      todo: `Clean up with: pbkfs unmount -D "${mount.mountPath}"`,
    });
  }
  if ("error" in answer) throw PbkfsError.fromJSON(answer.error);
  if ("tasks" in answer) return answer.tasks;
  throw new PbkfsError("Bug", { what: `Unexpected answer ${JSON.stringify(answer)}` });
}
