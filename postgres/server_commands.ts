/**
 * The command lines that start and stop a server on a data directory, to be pasted into a shell.
 *
 * @module
 */

import { type Identity, isRoot } from "./identity.ts";

/** Which server, and for whom. */
export interface CommandOptions {
  readonly binDir: string;
  readonly dataDir: string;
  readonly user: Identity;
  /** The user's, if the machine has one for that number. */
  readonly userName: string | undefined;
  readonly port: number;
}

/** One command, as different people have to give it. */
export interface ShellCommand {
  /** For the user who runs the server. */
  readonly asUser: string;
  /** For root, who has to become that user. */
  readonly asRoot: string;
}

/** The commands. */
export interface ServerCommands {
  readonly start: ShellCommand;
  readonly stop: ShellCommand;
  /** A client, by the socket in the data directory. */
  readonly connect: ShellCommand;
}

/** What to paste. The server's messages go to `server.log` in the data directory. */
export function serverCommands(options: CommandOptions): ServerCommands {
  const { binDir, dataDir, port } = options;
  const command = (program: string, ...args: string[]): ShellCommand => {
    const words = [`${binDir}/${program}`, ...args];
    return { asUser: shellLine(words), asRoot: shellLine([...become(options), ...words]) };
  };
  const log = `${dataDir}/server.log`;
  return {
    start: command("pg_ctl", "-D", dataDir, "-l", log, "-o", `-p ${port}`, "-w", "start"),
    stop: command("pg_ctl", "-D", dataDir, "-m", "fast", "-w", "stop"),
    connect: command("psql", "-h", dataDir, "-p", `${port}`, "-d", "postgres"),
  };
}

/** The one of the two that is for who we are. */
export function forUs({ asRoot, asUser }: ShellCommand): string {
  return isRoot() ? asRoot : asUser;
}

/** As root. A user without a name is known by numbers only. */
function become({ user, userName }: CommandOptions): string[] {
  if (userName !== undefined) return ["runuser", "-u", userName, "--"];
  return ["setpriv", `--reuid=${user.uid}`, `--regid=${user.gid}`, "--clear-groups", "--"];
}

/** Words as one line of a shell, quoted where they must be. */
function shellLine(words: readonly string[]): string {
  return words.map((word) =>
    /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
  ).join(" ");
}
