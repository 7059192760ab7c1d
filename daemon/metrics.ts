/**
 * Serves a mount's numbers over HTTP, in Prometheus' text format.
 *
 * @module
 */

import { PbkfsError } from "../errors.ts";
import { type Latencies, REQUEST_KINDS, type RequestKind } from "../fuse/mod.ts";
import type { CounterName } from "../overlay/mod.ts";
import type { MountStatus } from "./mount_status.ts";
import {
  type MetricFamily,
  PROMETHEUS_CONTENT_TYPE,
  prometheusText,
  type Sample,
} from "./prometheus_text.ts";

/** Where to listen. */
export interface MetricsAddress {
  readonly hostname: string;
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
}

/** A server that is listening. */
export interface MetricsServer {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * Listens.
 *
 * @throws {PbkfsError} `AddressUnusable`.
 */
export function serveMetrics(
  { hostname, port }: MetricsAddress,
  source: MetricsSource,
): MetricsServer {
  const handle = async (request: Request): Promise<Response> => {
    if (new URL(request.url).pathname !== "/metrics") {
      return new Response("The metrics are at /metrics.\n", { status: 404 });
    }
    const headers = { "content-type": PROMETHEUS_CONTENT_TYPE };
    return new Response(prometheusText(families(await source.status(), source.latencies)), {
      headers,
    });
  };
  try {
    const server = Deno.serve({ hostname, port, onListen() {} }, handle);
    return { port: server.addr.port, close: () => server.shutdown() };
  } catch (error) {
    throw new PbkfsError("AddressUnusable", {
      what: `Cannot serve metrics on ${hostname}:${port}: ${(error as Error).message}`,
      todo: "Give another address with --metrics.",
      cause: error,
    });
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
    {
      name: "pbkfs_diff_bytes",
      type: "gauge",
      help: "Space that the diff takes.",
      samples: [
        { labels: { part: "data" }, value: status.diff.dataBytes },
        { labels: { part: "wal" }, value: status.diff.walBytes },
        { labels: { part: "other" }, value: status.diff.otherBytes },
      ],
    },
    ...(Object.keys(COUNTERS) as CounterName[]).map((name): MetricFamily => ({
      name: `pbkfs_${name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}_total`,
      type: "counter",
      help: COUNTERS[name],
      samples: [{ value: status.counters[name] }],
    })),
    {
      name: "pbkfs_request_duration_seconds",
      type: "histogram",
      help: "How long requests of the kernel took.",
      samples: REQUEST_KINDS.flatMap((kind) => histogram(kind, latencies)),
    },
  ];
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
