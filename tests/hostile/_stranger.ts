/**
 * A program that connects to a port, and behaves in all the ways in which one should not:
 *
 *     deno run -A _stranger.ts PORT COUNT
 *
 * It prints `done` when it has done all of it, holds on to what it has, and ends with its input.
 *
 * @module
 */

const [port = 0, count = 0] = Deno.args.map(Number);
const held: Deno.Conn[] = [];
const bytes = (text: string) => new TextEncoder().encode(text);

async function connect(): Promise<Deno.Conn> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  held.push(connection);
  return connection;
}

/** Says something; whether anybody takes it, is not our affair. */
async function say(text: string | Uint8Array): Promise<void> {
  const connection = await connect();
  await connection.write(typeof text === "string" ? bytes(text) : text).catch(() => {});
}

// All at once, so that they wait in the kernel for who accepts them.
for (let at = 0; at < count;) {
  const some = Array.from({ length: Math.min(250, count - at) }, () => connect().catch(() => {}));
  at += some.length;
  await Promise.all(some);
}
for (let at = 0; at < 20; at++) await say("GET /metrics HTTP/1.1\r\nHost: localh"); // Goes on never.
await say(crypto.getRandomValues(new Uint8Array(60_000)));
await say(`GET /metrics HTTP/1.1\r\n${"X-Header: x\r\n".repeat(50_000)}`);
await say(`GET /${"x".repeat(500_000)}`);
await say("POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999999999\r\n\r\nx");
await say("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(1000)); // And reads nothing.
(await connect()).close();

Deno.stdout.writeSync(bytes("done\n"));
await new Response(Deno.stdin.readable).text();
