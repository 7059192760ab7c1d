/**
 * Advice on starting and stopping a server on a mount: by which programs, as whom, and on which
 * port.
 *
 * @module
 */

import { readBinding } from "../binding/mod.ts";
import type { PbkfsMount } from "../daemon/mod.ts";
import {
  type Identity,
  parseMajorVersion,
  type ServerCommands,
  serverCommands,
  tryFindInstallation,
  userNameOf,
} from "../postgres/mod.ts";
import { freePort } from "./free_port.ts";

/** What to know before a server is started. */
export interface ServerAdvice {
  /** PostgreSQL's major version, such as `15`. */
  readonly version: string;
  /** Who has to start it: whom the files belong to. */
  readonly user: Identity & { readonly name?: string };
  /** Nobody listens there now; missing if none is free. */
  readonly port?: number;
  /** Missing if this version is not installed here, or root, who must not run it, owns the files. */
  readonly commands?: ServerCommands;
}

/** @returns undefined if the diff does not say what it is of. */
export function serverAdvice({ mountPath, diffPath }: PbkfsMount): ServerAdvice | undefined {
  const binding = readBinding(diffPath);
  if (binding === undefined) return undefined;
  const { serverVersion, owner } = binding;
  const name = userNameOf(owner.uid);
  const port = freePort();
  const found = tryFindInstallation(parseMajorVersion(serverVersion) ?? NaN);
  const canRun = found !== undefined && owner.uid !== 0 && port !== undefined;
  return {
    version: serverVersion,
    user: { uid: owner.uid, gid: owner.gid, ...(name !== undefined && { name }) },
    ...(port !== undefined && { port }),
    ...(canRun && {
      commands: serverCommands({
        ...{ binDir: found.binDir, dataDir: mountPath, port },
        ...{ user: owner, userName: name },
      }),
    }),
  };
}
