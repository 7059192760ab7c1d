/**
 * Running a program as another user of this machine.
 *
 * @module
 */

/** A user by numbers, as a file's owner is recorded. */
export interface Identity {
  readonly uid: number;
  readonly gid: number;
}

/** The owner of a file or directory. */
export function ownerOf(path: string): Identity {
  const { uid, gid } = Deno.statSync(path);
  return { uid: uid ?? 0, gid: gid ?? 0 };
}

/** Whether this process runs as root, and so may become somebody else. */
export function isRoot(): boolean {
  return Deno.uid() === 0;
}

/**
 * The command line that runs `command` as `identity`. It is `command` itself for our own user,
 * who has nothing to change; otherwise `setpriv` of util-linux, which starts no shell and no
 * session and becomes the program, so that its pid is the program's.
 *
 * Other groups of the user are dropped: what a data directory's owner may do there follows from
 * the owner alone, and a number need not have a name in the user database.
 */
export function commandAs(identity: Identity | undefined, command: readonly string[]): string[] {
  if (identity === undefined || identity.uid === Deno.uid()) return [...command];
  const { uid, gid } = identity;
  return ["setpriv", `--reuid=${uid}`, `--regid=${gid}`, "--clear-groups", "--", ...command];
}
