/**
 * The decision about a mount whose process has died: to mount again, to take the mount away, or to
 * leave it as it is. The guardian has started this process, which decides; see `guardian.ts`.
 *
 * Whether the mount was wanted until now is asked of the kernel: somebody who does not want it any
 * more has unmounted it.
 *
 * @module
 */

import { pathsIn, readOwner } from "../binding/mod.ts";
import { systemLibc } from "../ffi/libc.ts";
import { type Log, openLog, SILENT_LOG } from "../observe/mod.ts";
import { isListed, takeAway } from "./dead_mount.ts";
import { areTooMany, type Death, describeDeath, UNKNOWN_STATUS, type Watch } from "./deaths.ts";
import type { PbkfsMount } from "./mount_table.ts";
import type { MountRequest } from "./protocol.ts";

/** What is to be done about a mount whose process has died. */
export type Verdict =
  | { readonly do: "mount again" }
  /** Somebody has unmounted it. */
  | { readonly do: "nothing" }
  /** Take it away: it is to end. */
  | { readonly do: "end" }
  /** Take it away, and leave a mark that says why. */
  | { readonly do: "give up"; readonly why: string };

/**
 * Decides.
 *
 * @param watch Of at least one death.
 * @param facts.isListed Whether the kernel still lists the mount.
 * @param facts.hadMounted Whether the process that died last had come as far as to serve it.
 */
export function judge(
  { deaths, count, isEnding }: Watch,
  facts: { readonly isListed: boolean; readonly hadMounted: boolean },
): Verdict {
  if (isEnding) return { do: "end" };
  // The first one never served it: the command that waits for it tells of that.
  if (!facts.hadMounted && count === 1) return { do: "end" };
  if (!facts.hadMounted) return { do: "give up", why: "it died while mounting again" };
  if (!facts.isListed) return { do: "nothing" };
  if (!areTooMany(deaths)) return { do: "mount again" };
  return { do: "give up", why: `${deaths.length} have died within a minute` };
}

/** Looks and decides. */
export function judgeMount(mount: PbkfsMount, watch: Watch): Verdict {
  const owner = readOwner(mount.diffPath);
  const hadMounted = owner?.pid === watch.deaths.at(-1)?.pid && owner?.mountedAt !== undefined;
  return judge(watch, { isListed: isListed(mount), hadMounted });
}

/** Carries out a verdict other than to mount again, and logs it. */
export async function carryOut(
  verdict: Exclude<Verdict, { do: "mount again" }>,
  request: MountRequest,
  death: Death,
): Promise<void> {
  await withLog(request, async (log) => {
    const died = describeDeath(death);
    if (verdict.do === "nothing") {
      // It may have ended as it should.
      if (death.status === UNKNOWN_STATUS) return;
      log.warning(`${died} after it had been unmounted: what it had not committed is lost`);
      return;
    }
    const givenUp = verdict.do === "give up"
      ? `it was not mounted again, since ${verdict.why}: ${died}`
      : undefined;
    const taken = await takeAway(request, givenUp);
    const result = taken ? "the dead mount was taken away" : "it is not mounted any more";
    const why = givenUp === undefined ? "it is not mounted again" : givenUp;
    log.warning(givenUp === undefined ? `${died}; ${result}; ${why}` : `${result}; ${why}`);
  });
}

/** What is left to do if mounting again has failed: the mount goes, and a mark says why. */
export async function giveUp(request: MountRequest, death: Death, error: unknown): Promise<void> {
  const why = error instanceof Error ? error.message : String(error);
  const givenUp = `${describeDeath(death)}, and it could not be mounted again: ${why}`;
  await withLog(request, async (log) => {
    const taken = await takeAway(request, givenUp);
    const end = taken ? "; the dead mount was taken away" : "";
    log.error(`${describeDeath(death)}, and it could not be mounted again${end}`, error);
  });
}

async function withLog(request: MountRequest, body: (log: Log) => Promise<void>): Promise<void> {
  const defaultPath = pathsIn(request.diffPath).log;
  // What has to be done does not wait for a place to tell of it.
  const log = await openLog(request.logging, { libc: systemLibc(), defaultPath })
    .catch(() => SILENT_LOG);
  try {
    await body(log);
  } catch (error) {
    log.error("taking a dead mount away failed", error);
    throw error;
  } finally {
    log.close();
  }
}
