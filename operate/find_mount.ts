/**
 * Finds a mount of this host, by where it is or by its diff.
 *
 * @module
 */

import { describeOwner, isLocked, readOwner } from "../binding/mod.ts";
import { PbkfsError } from "../errors.ts";
import { systemLibc } from "../ffi/libc.ts";
import { absolute } from "../ffi/real_path.ts";
import {
  type DetachedMount,
  detachedMount,
  findPbkfsMount,
  listDetached,
  listMounts,
  type PbkfsMount,
  SOURCE_PREFIX,
} from "../daemon/mod.ts";

/** Which mount. One of the two is enough; if both are given, they must agree. */
export interface MountPlace {
  /** Where it is mounted. */
  readonly mountPath?: string | undefined;
  /** The diff that is mounted. */
  readonly diffPath?: string | undefined;
}

/** Finds a mount. @throws {PbkfsError} `NotMounted`; `Usage` if nothing is given. */
export function findMount({ mountPath, diffPath }: MountPlace): PbkfsMount {
  if (mountPath === undefined && diffPath === undefined) {
    throw new PbkfsError("Usage", {
      what: "Neither a mount directory nor a diff is named",
      todo: "Give one of them: -D for the mount directory, -d for the diff.",
    });
  }
  const found = mountPath === undefined ? mountOfDiff(diffPath ?? "") : mountAt(mountPath);
  if (diffPath === undefined || realPathIfAny(diffPath) === found.diffPath) return found;
  throw new PbkfsError("NotMounted", {
    what: `The mount on "${mountPath}" is of the diff "${found.diffPath}", not of "${diffPath}"`,
    todo: "Leave -d out to mean this mount, or -D to mean that diff.",
  });
}

/** A mount, which may be nowhere any more: its process goes on for those who keep it. */
export type Found =
  | { readonly isMounted: true; readonly mount: PbkfsMount }
  | { readonly isMounted: false; readonly mount: PbkfsMount | DetachedMount };

/** As {@link findMount}; also finds what is nowhere any more. @throws as {@link findMount}. */
export async function findServed(place: MountPlace): Promise<Found> {
  try {
    return { isMounted: true, mount: findMount(place) };
  } catch (error) {
    if (!(error instanceof PbkfsError) || error.code !== "NotMounted") throw error;
    const mount = await findDetached(place);
    if (mount === undefined) throw error;
    return { isMounted: false, mount };
  }
}

async function findDetached(
  { mountPath, diffPath }: MountPlace,
): Promise<PbkfsMount | DetachedMount | undefined> {
  const isThere = (mount: PbkfsMount) =>
    mountPath === undefined ||
    [absolute(mountPath), realPathIfAny(mountPath)].includes(mount.mountPath);
  if (diffPath === undefined) return (await listDetached()).find(isThere);
  const mount = await detachedMount(realPathIfAny(diffPath));
  return mount !== undefined && isThere(mount) ? mount : undefined;
}

/** The mounts of a diff that the kernel lists; never more than one, if all goes well. */
export function mountsOfDiff(diffPath: string): PbkfsMount[] {
  return listMounts()
    .filter(({ type, source }) => type === "fuse.pbkfs" && source === `${SOURCE_PREFIX}${diffPath}`)
    .map(({ mountPath }) => ({ mountPath, diffPath }));
}

function mountAt(path: string): PbkfsMount {
  const given = absolute(path);
  const found = findPbkfsMount(given) ?? findPbkfsMount(realPathIfAny(given));
  if (found !== undefined) return found;
  throw new PbkfsError("NotMounted", {
    what: `There is no pbkfs mount on "${path}"`,
    todo: "List the mounts of this host with: pbkfs status",
  });
}

function mountOfDiff(path: string): PbkfsMount {
  const diffPath = realPathIfAny(path);
  const found = mountsOfDiff(diffPath).at(-1);
  if (found !== undefined) return found;
  const isServed = isLocked(diffPath, systemLibc()) === true;
  const owner = readOwner(diffPath);
  const who = describeOwner(owner);
  const why = owner?.givenUp === undefined ? "" : `: ${owner.givenUp}`;
  throw new PbkfsError("NotMounted", {
    what: isServed
      ? `The diff "${path}" is not mounted here, but ${who} still has it`
      : `The diff "${path}" is not mounted${why}`,
    todo: isServed
      ? "It may be mounted in another mount namespace: unmount it there, or end that process."
      : "List the mounts of this host with: pbkfs status",
  });
}

/** A mount whose process died has none. */
function realPathIfAny(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch {
    return absolute(path);
  }
}
