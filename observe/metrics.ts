/**
 * Serves a mount's numbers over HTTP, in Prometheus' text format.
 *
 * @module
 */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { PbkfsError } from "../errors.ts";
import { type Latencies, REQUEST_KINDS, type RequestKind } from "../fuse/mod.ts";
import { type CounterName, SPACE_STATES } from "../overlay/mod.ts";
import { BoundedListener, type Visit } from "./bounded_listener.ts";
import { connectionStream } from "./connection_stream.ts";
import { mayAsk } from "./host_header.ts";
import type { MountStatus } from "./mount_status.ts";
import {
  type MetricFamily,
  PROMETHEUS_CONTENT_TYPE,
  prometheusText,
  type Sample,
} from "./prometheus_text.ts";
import type { Complain } from "./survive.ts";

/** Where to listen. */
export interface MetricsAddress {
  /** To listen on. */
  readonly hostname: string;
  /** 0 is any that is free. */
  readonly port: number;
}

/**
 * `9187`, `127.0.0.1:9187` or `[::1]:9187`. Without a host, only this machine may ask.
 *
 * @throws {PbkfsError} `Usage`.
 */
export function parseMetricsAddress(text: string): MetricsAddress {
  const found = /^(?:(?:\[([\da-fA-F:.]+)\]|([^:[\]]+)):)?(\d{1,5})$/.exec(text);
  const port = Number(found?.[3]);
  if (found === null || port > 65535) {
    throw new PbkfsError("Usage", {
      what: `The address for metrics is "${text}"`,
      todo: "Give HOST:PORT, such as 127.0.0.1:9187, or only a port.",
    });
  }
  return { hostname: found[1] ?? found[2] ?? "127.0.0.1", port };
}

/** What the numbers come from. */
export interface MetricsSource {
  readonly status: () => Promise<MountStatus>;
  readonly latencies: Latencies;
  /** Told what went wrong on our side. */
  readonly complain?: Complain;
}

/** A server that is listening. */
export interface MetricsServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Prometheus asks with one connection at a time. */
export const METRICS_CONNECTIONS_MAX = 8;
/** From connecting to the end of the request, and for taking the answer. */
const THEIR_MS = 5_000;
const HEADER_BYTES_MAX = 8192;
const CLOSE_WAIT_MS = 1_000;

/**
 * Listens. HTTP is spoken by the usual library, but connections are let in one by one by our own
 * listener: that library first accepts all who have come, and then closes what is too many, so that
 * for a moment a stranger has all descriptors of this process.
 *
 * @throws {PbkfsError} `AddressUnusable`.
 */
export async function serveMetrics(
  { hostname, port }: MetricsAddress,
  source: MetricsSource,
): Promise<MetricsServer> {
  const { complain = () => {} } = source;
  const server = new MetricsHttp(hostname, source);
  try {
    const first = Deno.listen({ hostname, port });
    const listeners = [first];
    const listener = await BoundedListener.open({
      // Also if the first one had any port, it is the same from then on.
      listen: () => listeners.pop() ?? Deno.listen({ hostname, port: first.addr.port }),
      connectionsMax: METRICS_CONNECTIONS_MAX,
      askWithinMs: THEIR_MS,
      serve: (visit) => server.serve(visit),
      complain,
    });
    return { port: first.addr.port, close: () => listener.close(CLOSE_WAIT_MS) };
  } catch (error) {
    throw new PbkfsError("AddressUnusable", {
      what: `Cannot serve metrics on ${hostname}:${port}: ${(error as Error).message}`,
      todo: "Give another address with --metrics.",
      cause: error,
    });
  }
}

/** Speaks HTTP with one connection after another: a request each, and its answer. */
class MetricsHttp {
  readonly #http: Server;
  readonly #visits = new WeakMap<object, Visit>();
  /** The answer that is being made: it serves all who ask meanwhile. */
  #text: Promise<string> | undefined;

  constructor(private readonly hostname: string, private readonly source: MetricsSource) {
    const listener = (request: IncomingMessage, response: ServerResponse) => {
      void this.#answer(request, response);
    };
    this.#http = createServer({ maxHeaderSize: HEADER_BYTES_MAX, keepAlive: false }, listener);
    this.#http.on("clientError", (_error, socket) => {
      socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
    });
  }

  /** Until the connection is over. */
  async serve(visit: Visit): Promise<void> {
    const { promise: over, resolve } = Promise.withResolvers<void>();
    const stream = connectionStream(visit.connection);
    this.#visits.set(stream, visit);
    stream.on("close", resolve);
    // Who asked has gone; that is its affair.
    stream.on("error", () => stream.destroy());
    this.#http.emit("connection", stream);
    await over;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const visit = this.#visits.get(request.socket);
    const reply = (status: number, text: string, type = "text/plain; charset=utf-8") => {
      visit?.awaitThem(THEIR_MS);
      response.writeHead(status, { "content-type": type, "connection": "close" }).end(text);
    };
    try {
      if (!mayAsk(request.headers.host, this.hostname)) {
        return reply(421, "Ask by address, or by the name that --metrics was given.\n");
      }
      if (request.url?.split("?", 1)[0] !== "/metrics") {
        return reply(404, "The metrics are at /metrics.\n");
      }
      if (request.method !== "GET" && request.method !== "HEAD") {
        return reply(405, "The metrics can only be read.\n");
      }
      visit?.workForThem();
      reply(200, await (this.#text ??= this.#make()), PROMETHEUS_CONTENT_TYPE);
    } catch (error) {
      this.source.complain?.("serving metrics failed", error);
      reply(500, "The metrics cannot be had; the log says why.\n");
    }
  }

  async #make(): Promise<string> {
    try {
      return prometheusText(families(await this.source.status(), this.source.latencies));
    } finally {
      this.#text = undefined;
    }
  }
}

const COUNTERS: Readonly<Record<CounterName, string>> = {
  reads: "Reads that the kernel asked for: what it has cached does not come here.",
  readBytes: "Bytes read through the mount.",
  writes: "Writes of the kernel.",
  writtenBytes: "Bytes written through the mount.",
  syncs: "Syncs of files and directories.",
  storeBytesRead: "Bytes read from stored files of the catalog.",
  indexBytesRead: "Bytes read to learn where pages lie.",
  storeReads: "Reads from stored files of the catalog.",
  recordsDecoded: "Pages decompressed.",
  indexesMade: "Page indexes made.",
  filesOpened: "Files of the catalog opened.",
};

function families(status: MountStatus, latencies: Latencies): MetricFamily[] {
  return [
    ...mountFamilies(status),
    ...spaceFamilies(status),
    ...counterFamilies(status),
    {
      name: "pbkfs_request_duration_seconds",
      type: "histogram",
      help: "How long requests of the kernel took.",
      samples: REQUEST_KINDS.flatMap((kind) => histogram(kind, latencies)),
    },
  ];
}

function mountFamilies(status: MountStatus): MetricFamily[] {
  const { version, instance, backupId: backup, mountPath: mount, diffPath: diff } = status;
  return [
    {
      name: "pbkfs_mount_info",
      type: "gauge",
      help: "What is mounted, and by which pbkfs; always 1.",
      samples: [{ labels: { version, instance, backup, mount, diff }, value: 1 }],
    },
    {
      name: "pbkfs_mounted_timestamp_seconds",
      type: "gauge",
      help: "When it was mounted, in seconds since 1970.",
      samples: [{ value: status.mountedAt / 1000 }],
    },
    {
      name: "pbkfs_restarts_total",
      type: "counter",
      help: "How often the process behind the mount has died, and it was mounted again.",
      samples: [{ value: status.restarts.count }],
    },
  ];
}

function spaceFamilies({ diff, space }: MountStatus): MetricFamily[] {
  return [
    {
      name: "pbkfs_diff_bytes",
      type: "gauge",
      help: "Space that the diff takes.",
      // What is not counted yet is not told.
      samples: !diff.isComplete ? [] : [
        { labels: { part: "data" }, value: diff.dataBytes },
        { labels: { part: "wal" }, value: diff.walBytes },
        { labels: { part: "other" }, value: diff.otherBytes },
      ],
    },
    {
      name: "pbkfs_space_state",
      type: "gauge",
      help: "Whether there is room for the diff: 1 for the state that it is in. low and full: " +
        "writes are refused.",
      samples: SPACE_STATES.map((state) => ({
        labels: { state },
        value: Number(space.state === state),
      })),
    },
    {
      name: "pbkfs_reserve_bytes",
      type: "gauge",
      help: "Space that is kept for what the kernel has gathered.",
      samples: [{ value: space.reserveBytes }],
    },
  ];
}

function counterFamilies({ counters }: MountStatus): MetricFamily[] {
  return (Object.keys(COUNTERS) as CounterName[]).map((name): MetricFamily => ({
    name: `pbkfs_${name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}_total`,
    type: "counter",
    help: COUNTERS[name],
    samples: [{ value: counters[name] }],
  }));
}

/** Bounds of a histogram, from 16 µs to 16 s. */
const LIMITS_MICROS = Array.from({ length: 11 }, (_, index) => 16 * 4 ** index);

function histogram(kind: RequestKind, latencies: Latencies): Sample[] {
  // The buckets first: what is counted meanwhile must not make them larger than the total.
  const counts = latencies.cumulative(kind, LIMITS_MICROS);
  const { count, sumMicros } = latencies.summary(kind);
  const bucket = (le: string, value: number) => ({
    suffix: "_bucket",
    labels: { kind, le },
    value,
  });
  return [
    ...LIMITS_MICROS.map((limit, index) => bucket(`${limit / 1e6}`, counts[index] ?? 0)),
    bucket("+Inf", count),
    { suffix: "_sum", labels: { kind }, value: sumMicros / 1e6 },
    { suffix: "_count", labels: { kind }, value: count },
  ];
}
