/**
 * The small process that stays beside a daemon, as its parent: it sees how the daemon ends, and if
 * that is by dying, starts it once more, with the same request, to mount again in place or to take
 * the dead mount away.
 *
 * It is a shell, since a mount should not cost a second JavaScript heap: 0.2 MiB instead of tens. It
 * decides as little as it can: whether a status is a death, and when to stop trying. What a death
 * means is for the process that it starts, see `revive.ts`.
 *
 * @module
 */

import { isAlive, readOwner } from "../binding/mod.ts";
import { PbkfsError } from "../errors.ts";
import { UNKNOWN_STATUS } from "./deaths.ts";

/** What the guardian is called in the list of processes. */
const NAME = "pbkfs-guardian";

/** Holds the script, so that the list of processes shows the places and not a page of shell. */
const SCRIPT_VARIABLE = "PBKFS_GUARDIAN";

/** A daemon whose exit status is this has died, too: its threads stopped serving a mount. */
export const BROKEN_STATUS = 1;

/**
 * The guardian. Called with the diff and the mount point, which are for people, and the command of
 * the daemon; the request is its input. Nothing that it is given is read as shell.
 *
 * The daemon gets the request as its input, and as arguments the guardian's id, how often one has
 * died, `ending` if there is to be no other mount, and the last deaths, as `pid:status:seconds`.
 *
 * - `wait` returns early when a signal comes, with a status above 128, and may do so in the moment of
 *   the daemon's end. So it is asked again then. If it says 127, the shell has forgotten the daemon;
 *   bash does that even without having told the status, which then nobody knows.
 * - Who dies more than three times within a minute does so while it is taking the mount away, which
 *   is tried again for a minute: memory may be short.
 */
const SCRIPT = `
unset ${SCRIPT_VARIABLE}
shift 2
exec 3<&- 4<&- 5<&- 6<&- 7<&- 8<&- 9<&-
ending= asked= daemon= signalled= deaths= count=0 quick=0 last=0
end() {
  ending=ending signalled=1
  [ -n "$asked" ] || [ -z "$daemon" ] || kill -s TERM "$daemon"
}
keep_three() {
  while [ $# -gt 3 ]; do shift; done
  deaths=$*
}
trap end TERM INT
trap signalled=1 HUP
request=$(cat)
read -r oom </proc/self/oom_score_adj
while :; do
  asked=$ending
  printf '%s\\n' "$request" | {
    { echo "$oom" >/proc/self/oom_score_adj; } 2>/dev/null
    exec "$@" "$$" "$count" $ending $deaths
  } &
  daemon=$!
  exec </dev/null >/dev/null 2>&1
  echo -900 >/proc/self/oom_score_adj
  [ "$ending" = "$asked" ] || kill -s TERM "$daemon"
  status= again=
  while :; do
    signalled=
    wait "$daemon"
    got=$?
    [ "$got" = 127 ] && [ -n "$again" ] && break
    [ -n "$signalled" ] || { status=$got; break; }
    [ "$got" -ge 0 ] && [ "$got" -le 126 ] && status=$got
    again=again
  done
  status=\${status:-${UNKNOWN_STATUS}}
  pid=$daemon daemon=
  case $status in
    0 | [2-9] | [1-9][0-9]) exit "$status" ;;
  esac
  now=$(date +%s)
  [ $((now - last)) -lt 60 ] || quick=0
  last=$now quick=$((quick + 1)) count=$((count + 1))
  keep_three $deaths "$pid:$status:$now"
  [ "$quick" -le 3 ] || sleep 5
  [ "$quick" -le 12 ] || exit 1
done
`;

/** A program to start. */
export interface ProgramCall {
  readonly program: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** A guardian that starts `daemon`. @param shell For tests. */
export function guarded(
  daemon: ProgramCall,
  { diffPath, mountPath }: { readonly diffPath: string; readonly mountPath: string },
  shell = "/bin/sh",
): ProgramCall {
  const names = [NAME, diffPath, mountPath];
  return {
    program: shell,
    args: ["-c", `eval "$${SCRIPT_VARIABLE}"`, ...names, daemon.program, ...daemon.args],
    env: { ...daemon.env, [SCRIPT_VARIABLE]: SCRIPT },
  };
}

/** Data as one line of JSON that any shell can keep in a variable: ASCII only. */
export function asciiJson(data: unknown): string {
  const escape = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return JSON.stringify(data).replaceAll(/[\u007f-\uffff]/g, escape);
}

/** The guardian of the process that has a diff, or had it when it died; undefined if none lives. */
export function guardianOf(diffPath: string): number | undefined {
  const pid = readOwner(diffPath)?.guardian;
  if (pid === undefined || !isAlive(pid)) return undefined;
  try {
    // Ids are given again.
    const words = Deno.readTextFileSync(`/proc/${pid}/cmdline`).split("\0");
    return words.includes(NAME) && words.includes(diffPath) ? pid : undefined;
  } catch {
    return undefined;
  }
}

const LOOK_MS = 20;

/**
 * Has the guardian of a mount whose daemon has died give up, and waits for its end. It takes the
 * dead mount away, or unmounts a new one.
 *
 * @throws {PbkfsError} `MountBusy` if it does not end in time.
 */
export async function endGuardian(diffPath: string, waitMs: number): Promise<void> {
  const pid = guardianOf(diffPath);
  if (pid === undefined) return;
  try {
    Deno.kill(pid, "SIGTERM");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  for (const deadline = Date.now() + waitMs; isAlive(pid);) {
    if (Date.now() >= deadline) {
      throw new PbkfsError("MountBusy", {
        what: `Process ${pid}, which watches the mount of "${diffPath}", has not ended in time`,
        todo: `Look at the log of the mount, and unmount again.`,
      });
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}
