/**
 * Another process that has a file open, writes to it and syncs it when it is told to.
 *
 * @module
 */

import { errnoFrom, filled, RawFile } from "./raw_file.ts";

/** What it can be told, one a line. */
type Order = "sync" | "write";

/** The process; `await using` it ends it. */
export class OtherProcess implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #output: ReadableStreamDefaultReader<Uint8Array>;

  private constructor(path: string) {
    this.#process = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", import.meta.url, path],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    this.#input = this.#process.stdin.getWriter();
    this.#output = this.#process.stdout.getReader();
  }

  /** Starts it, and waits until it has opened the file. */
  static async open(path: string): Promise<OtherProcess> {
    const made = new OtherProcess(path);
    await made.#answer();
    return made;
  }

  /** @returns The errno that it met, or 0. */
  async do(order: Order): Promise<number> {
    await this.#input.write(new TextEncoder().encode(`${order}\n`));
    return await this.#answer();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close();
    await this.#output.cancel();
    await this.#process.status;
  }

  async #answer(): Promise<number> {
    const { value } = await this.#output.read();
    if (value === undefined) throw new Error("the other process has ended");
    return Number(new TextDecoder().decode(value));
  }
}

async function main(path: string): Promise<void> {
  using file = new RawFile(path);
  const answer = (errno: number) => Deno.stdout.writeSync(new TextEncoder().encode(`${errno}`));
  answer(0);
  for await (const bytes of Deno.stdin.readable) {
    const order = new TextDecoder().decode(bytes).trim() as Order;
    answer(errnoFrom(() => order === "sync" ? file.sync() : file.write(0, filled(1))));
  }
}

if (import.meta.main) await main(Deno.args[0] ?? "");
