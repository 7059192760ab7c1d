/**
 * A backup of a running server, as far as the server is concerned: it is told of the start and of
 * the end by one session.
 *
 * @module
 */

import { commandAs, type Identity, type PostgresServer } from "../../../postgres/mod.ts";
import type { BackupEnd } from "./write_backup.ts";

/** Ends the backup without one, if {@link BackupSession.stop} was not called. */
export class BackupSession implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #lines: ReadableStreamDefaultReader<string>;
  #rest = "";

  private constructor(readonly server: PostgresServer, user: Identity | undefined) {
    const { socketDir, port, installation } = server;
    const [program = "", ...args] = commandAs(user, [
      `${installation.binDir}/psql`,
      ...["-XqAt", "-v", "ON_ERROR_STOP=1", "-h", socketDir, "-p", `${port}`],
      ...["-U", "postgres", "-d", "postgres"],
    ]);
    this.#process = new Deno.Command(program, {
      args,
      cwd: "/",
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#input = this.#process.stdin.getWriter();
    this.#lines = this.#process.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** Begins, with a checkpoint at once. For PostgreSQL 15 and later. */
  static async start(
    server: PostgresServer,
    user: Identity | undefined,
  ): Promise<{ readonly session: BackupSession; readonly startLsn: string }> {
    const session = new BackupSession(server, user);
    const startLsn = await session.#ask("select pg_backup_start('pbkfs', true)");
    return { session, startLsn };
  }

  /** Ends the backup. What it needs of the WAL is in `pg_wal` until the next checkpoint. */
  async stop(startLsn: string): Promise<BackupEnd> {
    const answer = await this.#ask(
      "select json_build_object('lsn', lsn, 'label', labelfile, 'map', spcmapfile, " +
        `'first', pg_walfile_name('${startLsn}'), 'last', pg_walfile_name(lsn)) ` +
        "from pg_backup_stop(false)",
    );
    const { lsn, label, map, first, last } = JSON.parse(answer) as Record<string, string>;
    const walDir = `${this.server.dataDir}/pg_wal`;
    const names = [...Deno.readDirSync(walDir)].map(({ name }) => name)
      .filter((name) => /^[0-9A-F]{24}$/.test(name) && name >= first! && name <= last!).sort();
    const bytes = (text: string | undefined) => new TextEncoder().encode(text ?? "");
    return {
      stopLsn: lsn!,
      extraFiles: {
        backup_label: bytes(label),
        ...(map ? { tablespace_map: bytes(map) } : {}),
      },
      walPaths: names.map((name) => `${walDir}/${name}`),
    };
  }

  async #ask(sql: string): Promise<string> {
    await this.#input.write(new TextEncoder().encode(`${sql};\n`));
    for (;;) {
      const end = this.#rest.indexOf("\n");
      if (end >= 0) {
        const line = this.#rest.slice(0, end);
        this.#rest = this.#rest.slice(end + 1);
        return line;
      }
      const { value, done } = await this.#lines.read();
      if (done) throw new Error(`psql ended instead of answering: ${sql}`);
      this.#rest += value;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close().catch(() => {}); // psql may have ended already.
    await this.#lines.cancel();
    await this.#process.status;
  }
}
