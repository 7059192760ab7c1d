/**
 * A session of psql that is told one thing after another, so that it is known what was acknowledged.
 *
 * @module
 */

import type { PostgresServer } from "../../postgres/mod.ts";
import { commandAs, type Identity } from "../support/users.ts";

/** The session has ended, by an error or because the server is gone. */
export class SessionEnded extends Error {}

/** One connection to a server. */
export class PsqlSession {
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #output: ReadableStreamDefaultReader<string>;
  readonly #complaints: Promise<string>;
  #text = "";
  #asked = 0;

  constructor(server: PostgresServer, user: Identity, database = "postgres") {
    const [program = "", ...args] = commandAs(user, [
      `${server.installation.binDir}/psql`,
      ...["-XqAt", "-v", "ON_ERROR_STOP=1", "-h", server.socketDir, "-p", `${server.port}`],
      ...["-U", "postgres", "-d", database],
    ]);
    this.#child = new Deno.Command(program, {
      args,
      cwd: "/",
      env: { LC_ALL: "C" },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#output = this.#child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    this.#complaints = new Response(this.#child.stderr).text();
  }

  /**
   * Runs SQL. When this returns, the server has acknowledged each of its transactions.
   *
   * @returns Lines of the answer.
   * @throws {SessionEnded} with what psql said; whether the last transaction counts is not known.
   */
  async ask(sql: string): Promise<string[]> {
    const mark = `-- done ${++this.#asked}`;
    try {
      await this.#input.write(new TextEncoder().encode(`${sql}\n\\echo '${mark}'\n`));
      for (;;) {
        const end = this.#text.indexOf(`${mark}\n`);
        if (end >= 0) {
          const answer = this.#text.slice(0, end);
          this.#text = this.#text.slice(end + mark.length + 1);
          return answer.split("\n").slice(0, -1);
        }
        const { value, done } = await this.#output.read();
        if (done) throw new Error("no more answers");
        this.#text += value;
      }
    } catch (error) {
      throw new SessionEnded(`${(await this.#end()).trim() || error}; it was asked: ${sql}`);
    }
  }

  /** Ends it, whatever it does. */
  async close(): Promise<void> {
    await this.#end();
  }

  async #end(): Promise<string> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended by itself.
    }
    await this.#child.status;
    await this.#input.abort().catch(() => {});
    await this.#output.cancel().catch(() => {});
    return await this.#complaints;
  }
}
