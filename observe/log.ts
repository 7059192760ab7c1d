/**
 * The log of a mount's process: one line a life event, errors with what led to them, and, only when
 * tracing, requests.
 *
 * @module
 */

import type { TextFormatter } from "@logtape/logtape";
import { errnoName, PbkfsError, plainText } from "../errors.ts";
import type { Libc } from "../ffi/libc.ts";
import type { LogOptions, LogTarget } from "./log_options.ts";
import { terminalJson, terminalText } from "./terminal_text.ts";
import { fileSink, journaldSink, type LogSink, stderrSink, syslogSink } from "./log_sinks.ts";

/** What belongs to a line, by name. */
export type LogFacts = Readonly<Record<string, string | number>>;

/** A log that is open. */
export interface Log {
  info(message: string, facts?: LogFacts): void;
  warning(message: string, facts?: LogFacts): void;
  /** @param what What was being done. */
  error(what: string, error: unknown, facts?: LogFacts): void;
  trace(line: string): void;
  /** From now on, what libraries print goes to the log, too, or at least to a file. */
  takeStderr(): void;
  /** Goes on in a new file, if the old one was renamed. */
  reopen(): void;
  close(): void;
}

/** For programs that mount without wanting a log. */
export const SILENT_LOG: Log = {
  info() {},
  warning() {},
  error() {},
  trace() {},
  takeStderr() {},
  reopen() {},
  close() {},
};

/** Where a log may go. */
interface LogPlace {
  readonly libc: Libc;
  readonly defaultPath: string;
}

/** Loads what {@link openLog} needs; it is not needed by commands that have no log. */
export async function loadLogging(): Promise<void> {
  await import("@logtape/logtape");
}

/**
 * Opens the log of this process; it has one at a time.
 *
 * @param place.defaultPath The file where none was named.
 */
export async function openLog(
  options: LogOptions,
  place: LogPlace,
): Promise<Log> {
  const logtape = await import("@logtape/logtape");
  const sink = openSink(options.target, place);
  configure(logtape, options, sink);
  const logger = logtape.getLogger("pbkfs");
  let rest: LogSink | undefined;
  return {
    info: (message, facts = {}) => logger.info(literal(message), facts),
    warning: (message, facts = {}) => logger.warning(literal(message), facts),
    error: (what, error, facts = {}) =>
      logger.error(literal(`${what}: ${messagesOf(error)}`), { ...facts, ...codeOf(error) }),
    trace: (line) => logger.trace(literal(line)),
    takeStderr() {
      rest = sink.takeStderr === undefined ? fileSink(place.defaultPath, place.libc) : sink;
      rest.takeStderr?.();
    },
    reopen() {
      sink.reopen();
      if (rest !== sink) rest?.reopen();
    },
    close() {
      logtape.resetSync();
      sink.close();
      if (rest !== sink) rest?.close();
    },
  };
}

type LogTape = typeof import("@logtape/logtape");

/** From now on what is logged goes to `sink`. */
function configure(logtape: LogTape, options: LogOptions, sink: LogSink): void {
  const format = formatterOf(logtape, options);
  const harmless = options.format === "json" ? terminalJson : terminalText;
  logtape.configureSync({
    reset: true,
    sinks: {
      main: (record) =>
        sink.write({
          text: harmless(format(record).trimEnd()),
          message: record.message.join(""),
          level: record.level,
          facts: record.properties,
        }),
    },
    loggers: [
      { category: "pbkfs", sinks: ["main"], lowestLevel: options.tracing ? "trace" : "info" },
      { category: ["logtape", "meta"], sinks: ["main"], lowestLevel: "error" },
    ],
  });
}

function formatterOf(
  { getJsonLinesFormatter, getTextFormatter }: LogTape,
  options: LogOptions,
): TextFormatter {
  if (options.format === "json") return getJsonLinesFormatter({ properties: "flatten" });
  return getTextFormatter({
    timestamp: "rfc3339",
    level: "full",
    format: ({ timestamp, level, message, record }) =>
      `${timestamp} ${level} ${message}${factsText(record.properties)}`,
  });
}

function openSink(
  target: LogTarget,
  place: LogPlace,
): LogSink {
  switch (target.to) {
    case "stderr":
      return stderrSink(place.libc);
    case "file":
      return fileSink(target.path ?? place.defaultPath, place.libc);
    case "syslog":
      return syslogSink(target.path);
    case "journald":
      return journaldSink(target.path);
  }
}

/** Braces mean nothing in our messages. */
function literal(message: string): string {
  return message.replaceAll("{", "{{").replaceAll("}", "}}");
}

/** An error's message, and those of what led to it. */
function messagesOf(error: unknown): string {
  const messages: string[] = [];
  for (let next = error; next !== undefined && next !== null;) {
    const message = plainText(next instanceof Error ? next.message : String(next));
    if (!messages.some((known) => known.includes(message))) messages.push(message);
    next = next instanceof Error ? next.cause : undefined;
  }
  return messages.join("; because: ");
}

function codeOf(error: unknown): LogFacts {
  return error instanceof PbkfsError ? { code: error.code, errno: errnoName(error.errno) } : {};
}

function factsText(facts: Readonly<Record<string, unknown>>): string {
  return Object.entries(facts).map(([name, value]) => {
    const text = String(value);
    return ` ${name}=${/^[^\s"=]+$/.test(text) ? text : JSON.stringify(text)}`;
  }).join("");
}
