/**
 * Unmounting for who may not call umount(2): through set-user-ID programs, which check that the
 * mount belongs to their user.
 *
 * @module
 */

/** The programs, and what they are given before the path. */
const PROGRAMS = [
  { name: "fusermount3", args: ["-u"], lazy: ["-z"] },
  // fusermount3 looks for the mount in /etc/mtab, which not every machine has. umount(8) asks the
  // kernel, and lets users unmount their FUSE mounts since util-linux 2.35. `-i`: by itself.
  { name: "umount", args: ["-i"], lazy: ["-l"] },
] as const;

/** How it ended. */
export type ProgramOutcome =
  | "done"
  /** Files in it are open. */
  | { readonly why: "busy" | "failed"; readonly said: string };

/** Unmounts with the first program that can. */
export async function unmountByProgram(
  mountPath: string,
  options: { readonly lazy: boolean },
): Promise<ProgramOutcome> {
  const failures: string[] = [];
  for (const { name, args, lazy } of PROGRAMS) {
    const failure = await failureOf(name, [
      ...args,
      ...(options.lazy ? lazy : []),
      "--",
      mountPath,
    ]);
    if (failure === undefined) return "done";
    if (/busy/i.test(failure)) return { why: "busy", said: failure };
    failures.push(failure);
  }
  return { why: "failed", said: failures.join("; ") };
}

/** Runs a program. @returns What it said when it failed; undefined if it did not. */
async function failureOf(name: string, args: readonly string[]): Promise<string | undefined> {
  try {
    const { success, code, stderr } = await new Deno.Command(name, {
      args: [...args],
      cwd: "/",
      env: { LC_ALL: "C" },
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).output();
    if (success) return undefined;
    return new TextDecoder().decode(stderr).trim() || `${name} ended with status ${code}`;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return `there is no ${name}`;
  }
}
