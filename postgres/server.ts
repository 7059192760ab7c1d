/**
 * A PostgreSQL server on a data directory, for as long as somebody needs it.
 *
 * @module
 */

import { PbkfsError } from "../errors.ts";
import { killProcessesIn } from "./processes.ts";
import { type Outcome, run } from "./_run.ts";
import { type Identity, isRoot, ownerOf } from "./identity.ts";
import { findInstallation, type Installation, majorVersionOf } from "./installation.ts";

/** How a server is started. Only the data directory must be given. */
export interface ServerOptions {
  readonly dataDir: string;
  /** Whose programs to run; those of the version in `PG_VERSION` if absent. */
  readonly installation?: Installation;
  /** Who runs it; if absent, for root the owner of the data directory, else ourselves. */
  readonly user?: Identity;
  /** The server listens on a Unix socket in a directory of its own, so this need not be free. */
  readonly port?: number;
  /** Further settings, for the command line: the data directory's files are not edited. */
  readonly settings?: Readonly<Record<string, string>>;
  /** The database role that asks. */
  readonly role?: string;
  readonly startTimeoutSeconds?: number;
}

/** How a server is told to end. Source: pg_ctl's --mode. */
export type StopMode = "smart" | "fast" | "immediate";

const QUERY_TIMEOUT_MS = 300_000;
const STOP_TIMEOUT_SECONDS = 60;

/**
 * A running server. `await using` it: leaving the scope stops the server, whatever happened, and
 * removes the directory with its socket and log.
 */
export class PostgresServer {
  readonly dataDir: string;
  readonly installation: Installation;
  readonly port: number;
  /** Holds the socket; only the server's user may enter. */
  readonly socketDir: string;
  /** What the server has to say, outside the data directory. */
  readonly logPath: string;
  readonly #options: ServerOptions;
  readonly #user: Identity | undefined;
  #isRunning = false;

  private constructor(options: ServerOptions, dataDir: string) {
    this.#options = options;
    this.dataDir = dataDir;
    this.#user = options.user ?? (isRoot() ? ownerOf(dataDir) : undefined);
    if (this.#user?.uid === 0) {
      throw new PbkfsError("PostgresFailed", {
        what: `${dataDir} belongs to root, and PostgreSQL does not run as root`,
        todo: "Give the backup catalog to the user that runs the server, such as postgres.",
      });
    }
    this.installation = options.installation ?? findInstallation(majorVersionOf(dataDir));
    this.port = options.port ?? 5432;
    this.socketDir = makePrivateDir(this.#user);
    this.logPath = `${this.socketDir}/server.log`;
  }

  /**
   * Starts a server and waits until it answers, after any recovery that it has to do first. With
   * a `recovery.signal` it may answer before the end of recovery: {@link waitUntilPrimary}.
   *
   * @throws {PbkfsError} `PostgresFailed`, with the last lines of the server's log.
   */
  static async start(options: ServerOptions): Promise<PostgresServer> {
    const server = new PostgresServer(options, resolveButLast(options.dataDir));
    try {
      await server.#start();
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
    return server;
  }

  /**
   * Runs SQL and returns what `psql -At` prints, without the last line end. Each string is a
   * transaction of its own, so that CHECKPOINT or CREATE DATABASE may stand among them.
   *
   * @throws {PbkfsError} `PostgresFailed` at the first error.
   */
  async query(sql: string | readonly string[], database = "postgres"): Promise<string> {
    const commands = (typeof sql === "string" ? [sql] : sql).flatMap((text) => ["-c", text]);
    const args = ["-XqAt", "-v", "ON_ERROR_STOP=1", "-d", database, ...commands];
    return (await this.run("psql", args)).stdout.replace(/\n$/, "");
  }

  /**
   * Runs a client program of the same installation against this server, as its user.
   *
   * @throws {PbkfsError} `PostgresFailed` if its exit status is not 0.
   */
  async run(program: string, args: readonly string[]): Promise<Outcome> {
    const outcome = await this.#runProgram(program, args, QUERY_TIMEOUT_MS);
    if (outcome.code !== 0) this.#fail(`${program} failed with status ${outcome.code}`, outcome);
    return outcome;
  }

  /** Waits for the end of recovery, asking at short intervals. */
  async waitUntilPrimary(timeoutMs = 60_000): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    while (await this.query("select pg_is_in_recovery()") !== "f") {
      if (Date.now() > deadline) this.#fail(`Recovery did not end within ${timeoutMs} ms`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /**
   * Stops the server and returns when it has ended.
   *
   * @throws {PbkfsError} `PostgresFailed` if it does not end; it may still run then.
   */
  async stop(mode: StopMode = "fast"): Promise<void> {
    if (!this.#isRunning) return;
    const args = ["-D", this.dataDir, "-w", "-t", `${STOP_TIMEOUT_SECONDS}`, "-m", mode, "stop"];
    const outcome = await this.#runProgram("pg_ctl", args, (STOP_TIMEOUT_SECONDS + 10) * 1000);
    if (outcome.code !== 0) this.#fail("The server did not stop", outcome);
    this.#isRunning = false;
  }

  /** Stops the server, by force if need be, and removes its socket and log. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.stop("fast");
    } catch {
      // The data directory may be gone or hang; what counts is that no process stays in it.
    }
    await killProcessesIn(this.dataDir);
    this.#isRunning = false;
    await Deno.remove(this.socketDir, { recursive: true }).catch(() => {});
  }

  /** The last lines of the server's log. */
  logTail(lines = 20): string {
    try {
      return Deno.readTextFileSync(this.logPath).trimEnd().split("\n").slice(-lines).join("\n");
    } catch {
      return ""; // The server did not come as far as to write one.
    }
  }

  async #start(): Promise<void> {
    const settings = {
      ...this.#options.settings,
      // Of a data_directory in the backup's postgresql.conf, production's would be used.
      data_directory: this.dataDir,
      listen_addresses: "",
      unix_socket_directories: this.socketDir,
      port: `${this.port}`,
      log_destination: "stderr",
      logging_collector: "off",
    };
    const options = Object.entries(settings).map(([name, value]) => `-c ${name}=${quote(value)}`);
    const seconds = this.#options.startTimeoutSeconds ?? 60;
    const args = ["-D", this.dataDir, "-w", "-t", `${seconds}`, "-l", this.logPath];
    this.#isRunning = true; // Also when pg_ctl gives up waiting: the server may come up later.
    const outcome = await this.#runProgram(
      "pg_ctl",
      [...args, "-o", options.join(" "), "start"],
      (seconds + 10) * 1000,
    );
    if (outcome.code !== 0) this.#fail(`No server came up on ${this.dataDir}`, outcome);
  }

  #runProgram(program: string, args: readonly string[], timeoutMs: number): Promise<Outcome> {
    const { binDir } = this.installation;
    return run({
      command: [`${binDir}/${program}`, ...args],
      user: this.#user,
      workDir: this.socketDir,
      timeoutMs,
      env: {
        PATH: `${binDir}:/usr/bin:/bin`,
        LC_ALL: "C",
        HOME: this.socketDir,
        PGHOST: this.socketDir,
        PGPORT: `${this.port}`,
        PGUSER: this.#options.role ?? "postgres",
        PGDATABASE: "postgres",
      },
    });
  }

  #fail(what: string, outcome?: Outcome): never {
    const said = outcome === undefined ? "" : `${outcome.stderr}${outcome.stdout}`.trim();
    const log = this.logTail();
    throw new PbkfsError("PostgresFailed", {
      what: what + (said === "" ? "" : `: ${said}`) +
        (log === "" ? "" : `\nThe server's log ends with:\n${log}`),
      todo: "Correct what the server complains about, then start it again.",
    });
  }
}

/** A new directory that only `user` may enter, with a path short enough for a socket in it. */
function makePrivateDir(user: Identity | undefined): string {
  const dir = Deno.makeTempDirSync({ dir: "/tmp", prefix: "pbkfs-pg-" });
  if (user !== undefined) Deno.chownSync(dir, user.uid, user.gid);
  return dir;
}

/**
 * Resolves all but the last part, which may be the root of a mount that is not for us to look at:
 * a user's mount is closed even to root.
 */
function resolveButLast(path: string): string {
  const parts = path.replace(/\/+$/, "").split("/");
  const name = parts.pop() ?? "";
  const parent = Deno.realPathSync(parts.join("/") || (path.startsWith("/") ? "/" : "."));
  return `${parent === "/" ? "" : parent}/${name}`;
}

/** `value` as one word of a shell: pg_ctl hands its options to one. */
function quote(value: string): string {
  return `'${value.replaceAll("'", `'\\''`)}'`;
}
