/**
 * Receives what is sent to a Unix datagram socket, as syslog does.
 *
 * @module
 */

/** What has come so far. `await using` it. */
export interface Receiver extends AsyncDisposable {
  readonly messages: readonly string[];
}

/** Listens at `path`. In a process of its own: Deno has such sockets only behind a flag. */
export async function receiveDatagrams(path: string): Promise<Receiver> {
  const program = `
    const socket = Deno.listenDatagram({ transport: "unixpacket", path: Deno.args[0] });
    console.log("[]");
    for await (const [bytes] of socket) console.log(JSON.stringify([new TextDecoder().decode(bytes)]));
  `;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", "--unstable-net", "--ext=ts", "-", path],
    env: { DENO_NO_UPDATE_CHECK: "1" },
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(program));
  await writer.close();
  const messages: string[] = [];
  const ready = Promise.withResolvers<void>();
  const read = async () => {
    let text = "";
    for await (const chunk of child.stdout.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      const lines = text.split("\n");
      text = lines.pop() ?? "";
      for (const line of lines) {
        messages.push(...JSON.parse(line));
        ready.resolve();
      }
    }
    ready.reject(new Error("the receiver has ended"));
  };
  const reading = read();
  await ready.promise;
  Deno.chmodSync(path, 0o666); // As the system's own are.
  return {
    messages,
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.status;
      ready.promise.catch(() => {});
      await reading;
    },
  };
}
