/**
 * Options of a mount about what it tells while it lives.
 *
 * @module
 */

import { DIFF_NAMES } from "../operate/mod.ts";
import {
  LOG_FORMATS,
  type LogOptions,
  type MetricsAddress,
  parseLogOptions,
  parseMetricsAddress,
} from "../observe/mod.ts";
import type { Flags, OptionSpec } from "./command.ts";

/** The options. */
export const LOGGING: readonly OptionSpec[] = [
  {
    long: "--log-format",
    value: { name: "FORMAT", kind: "text", choices: LOG_FORMATS, default: "text" },
    text: "of the log; json is one object a line",
  },
  {
    long: "--log-sink",
    value: { name: "SINK", kind: "text" },
    text:
      `where the log goes: file (${DIFF_NAMES.log} in the diff), file:PATH, syslog, journald or ` +
      "stderr; default: file, in the foreground stderr",
  },
  { long: "--trace", text: "log each request of the kernel and its reply" },
  {
    long: "--metrics",
    value: { name: "HOST:PORT", kind: "text" },
    text: "serve metrics for Prometheus; without HOST, for this machine only",
  },
];

/** What they say. @throws {PbkfsError} `Usage`. */
export function loggingOf(
  flags: Flags,
): { readonly logging: LogOptions; readonly metrics?: MetricsAddress } {
  const { logFormat, logSink, trace, metrics, foreground } = flags as {
    readonly logFormat?: string;
    readonly logSink?: string;
    readonly trace?: boolean;
    readonly metrics?: string;
    readonly foreground?: boolean;
  };
  return {
    logging: parseLogOptions({
      format: logFormat,
      sink: logSink,
      tracing: trace,
      isForeground: foreground === true,
    }),
    ...(metrics !== undefined && { metrics: parseMetricsAddress(metrics) }),
  };
}
