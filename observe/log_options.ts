/**
 * The options of a mount's log: where its lines go, and in what form.
 *
 * @module
 */

import { PbkfsError } from "../errors.ts";
import { absolute } from "../ffi/real_path.ts";

/** The forms of a log. */
export const LOG_FORMATS = ["text", "json"] as const;

/** Where lines go. */
export type LogTarget =
  | { readonly to: "stderr" }
  /** Without a path: `pbkfs.log` in the diff. */
  | { readonly to: "file"; readonly path?: string }
  | { readonly to: "syslog" | "journald"; readonly path: string };

/** A mount's log. Plain data. */
export interface LogOptions {
  /** Lines for people, or one object a line. */
  readonly format: typeof LOG_FORMATS[number];
  /** Where it goes. */
  readonly target: LogTarget;
  /** A line for each request, and one for each reply. */
  readonly tracing: boolean;
}

/** What is not asked for otherwise. */
export const DEFAULT_LOGGING: LogOptions = {
  format: "text",
  target: { to: "file" },
  tracing: false,
};

const SOCKETS = { syslog: "/dev/log", journald: "/run/systemd/journal/socket" } as const;

/**
 * What the options of a command say.
 *
 * @param given.sink `stderr`, `file`, `file:PATH`, `syslog` or `journald`, these two with `:SOCKET`
 * if their socket is elsewhere.
 * @throws {PbkfsError} `Usage`.
 */
export function parseLogOptions(given: {
  readonly format?: string | undefined;
  readonly sink?: string | undefined;
  readonly tracing?: boolean | undefined;
  /** Whether the mount is served by the process that people see. */
  readonly isForeground: boolean;
}): LogOptions {
  const { isForeground, tracing = false } = given;
  const format = LOG_FORMATS.find((name) => name === (given.format ?? "text"));
  if (format === undefined) {
    throw usage(`The log format is "${given.format}"`, `Choose ${LOG_FORMATS.join(" or ")}.`);
  }
  const target = parseTarget(given.sink ?? (isForeground ? "stderr" : "file"));
  if (target.to === "stderr" && !isForeground) {
    throw usage(
      "The log cannot go to stderr: nobody reads it when the mount is served in the background",
      "Add --foreground, or choose another --log-sink.",
    );
  }
  return { format, target, tracing };
}

function parseTarget(sink: string): LogTarget {
  const colon = sink.indexOf(":");
  const kind = colon < 0 ? sink : sink.slice(0, colon);
  const path = colon < 0 ? undefined : sink.slice(colon + 1);
  if (kind === "stderr" && path === undefined) return { to: "stderr" };
  if (path !== "") {
    if (kind === "file") {
      return { to: "file", ...(path !== undefined && { path: absolute(path) }) };
    }
    if (kind === "syslog" || kind === "journald") {
      return { to: kind, path: path === undefined ? SOCKETS[kind] : absolute(path) };
    }
  }
  const todo = "Give stderr, file, file:PATH, syslog or journald.";
  throw usage(`The log sink is "${sink}"`, todo);
}

function usage(what: string, todo: string): PbkfsError {
  return new PbkfsError("Usage", { what, todo });
}
