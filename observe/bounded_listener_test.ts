import assert from "node:assert/strict";
import { BoundedListener, type ListenerOptions, type Visit } from "./bounded_listener.ts";

/** A listener on a port of its own, with what connects to it. */
async function listening(
  options: Partial<ListenerOptions>,
  body: (at: {
    readonly listener: BoundedListener;
    readonly connect: () => Promise<Deno.TcpConn>;
    readonly visits: Visit[];
    readonly complaints: unknown[];
  }) => Promise<void>,
): Promise<void> {
  const visits: Visit[] = [];
  const complaints: unknown[] = [];
  const listener = await BoundedListener.open({
    listen: () => Deno.listen({ hostname: "127.0.0.1", port: 0 }),
    connectionsMax: 2,
    askWithinMs: 60_000,
    async serve(visit) {
      visits.push(visit);
      while (await visit.connection.read(new Uint8Array(10)) !== null);
    },
    complain: (_what, error) => complaints.push(error),
    ...options,
  });
  const connect = () => {
    const { hostname, port } = listener.address as Deno.NetAddr;
    return Deno.connect({ hostname, port });
  };
  try {
    await body({ listener, connect, visits, complaints });
  } finally {
    await listener.close(0);
  }
}

/** Waits for the other side to close. */
async function closed(connection: Deno.Conn): Promise<void> {
  const got = await connection.read(new Uint8Array(1)).catch(() => null);
  connection.close();
  assert.equal(got, null);
}

async function until(isTrue: () => boolean): Promise<void> {
  for (const deadline = Date.now() + 20_000; !isTrue() && Date.now() < deadline;) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert(isTrue());
}

Deno.test("who comes when there are too many takes the place of the oldest that asks nothing [FR-833]", async () => {
  await listening({}, async ({ connect, visits }) => {
    const first = await connect();
    await until(() => visits.length === 1);
    visits[0]!.workForThem();
    const second = await connect();
    const third = await connect();
    await closed(second);
    await until(() => visits.length === 3);
    visits[2]!.workForThem();
    await closed(await connect()); // All are worked for: nobody has to make room.
    visits[0]!.close();
    await closed(first);
    third.close();
  });
});

Deno.test("who asks nothing for too long is closed, who is worked for is not [FR-833]", async () => {
  await listening({ askWithinMs: 50 }, async ({ connect, visits }) => {
    const worked = await connect();
    await until(() => visits.length === 1);
    visits[0]!.workForThem();
    await closed(await connect());
    const late = worked.read(new Uint8Array(1)).catch(() => null);
    visits[0]!.awaitThem(1);
    assert.equal(await late, null);
    worked.close();
  });
});

Deno.test("a listener that fails is opened anew, and what serving throws is told [FR-833]", async () => {
  let opened = 0;
  const listen = () => {
    opened++;
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    if (opened === 1) listener.close();
    return listener;
  };
  const serve = () => Promise.reject(new Error("on purpose"));
  await listening({ listen, serve }, async ({ connect, complaints }) => {
    await until(() => opened === 2);
    assert(complaints.length > 0);
    await closed(await connect());
    await until(() => (complaints.at(-1) as Error).message === "on purpose");
  });
});

Deno.test("closing waits for those who are worked for, and for nobody else [FR-833]", async () => {
  const working = Promise.withResolvers<void>();
  let isDone = false;
  const serve = async (visit: Visit) => {
    if (await visit.connection.read(new Uint8Array(1)).catch(() => null) === null) return;
    visit.workForThem();
    working.resolve();
    await new Promise((resolve) => setTimeout(resolve, 50));
    isDone = true;
  };
  await listening({ serve }, async ({ connect, listener }) => {
    const idle = await connect();
    const asking = await connect();
    await asking.write(new Uint8Array(1));
    await working.promise;
    await listener.close(60_000);
    assert(isDone);
    await closed(idle);
    await closed(asking);
  });
});
