/**
 * The sinks of a log: the terminal, a file, syslog, journald. What cannot be written is lost: a
 * mount does not end for its log.
 *
 * @module
 */

import { ERRNO, PbkfsError } from "../errors.ts";
import { bytesOf, byteStringOf } from "../ffi/bytes.ts";
import { asRoot, hasRootBehind } from "../ffi/credentials.ts";
import { DatagramSender } from "../ffi/datagram.ts";
import { TYPE } from "../ffi/file_type.ts";
import { type Fd, type Libc, OPEN } from "../ffi/libc.ts";
import { addressOf } from "../ffi/memory.ts";
import { inParent } from "../ffi/open_beneath.ts";
import { trustedPath } from "../ffi/trusted_path.ts";

/** One line. */
export interface LogLine {
  /** In the format wished for, with time and level, without an end of line. */
  readonly text: string;
  /** Only what happened: those who add time and level themselves want this. */
  readonly message: string;
  readonly level: string;
  readonly facts: Readonly<Record<string, unknown>>;
}

/** A place for lines. */
export interface LogSink {
  write(line: LogLine): void;
  /** What libraries print is to go there, too. Only files can do that. */
  takeStderr?(): void;
  /** Somebody has renamed the file. */
  reopen(): void;
  close(): void;
}

/** To the terminal of who started us, or whatever stands for it. */
export function stderrSink(libc: Libc): LogSink {
  return { write: ({ text }) => writeLine(libc, 2 as Fd, text), reopen() {}, close() {} };
}

/**
 * To a file, at its end.
 *
 * @throws {PbkfsError} if it cannot be opened.
 */
export function fileSink(path: string, libc: Libc): LogSink {
  const open = () => openLogFile(path, libc);
  let fd = open();
  let hasStderr = false;
  return {
    takeStderr() {
      libc.replace(fd, 2);
      hasStderr = true;
    },
    write: ({ text }) => writeLine(libc, fd, text),
    reopen() {
      const next = open();
      libc.close(fd);
      fd = next;
      if (hasStderr) libc.replace(fd, 2);
    },
    close: () => libc.close(fd),
  };
}

/** A log that is not in the diff may be where only root can write: then root opens it. */
function openLogFile(path: string, libc: Libc): Fd {
  const flags = OPEN.readWrite | OPEN.create | OPEN.append | OPEN.noTerminal | OPEN.nonBlocking;
  try {
    return libc.open(byteStringOf(path), flags, 0o600);
  } catch (error) {
    const isDenied = error instanceof PbkfsError && error.errno === ERRNO.EACCES;
    if (!isDenied || !hasRootBehind()) throw error;
  }
  const fd = asRoot(() => openLogOfRoot(path, flags | OPEN.noFollow, libc));
  if (fd !== undefined) return fd;
  throw new PbkfsError("PermissionDenied", {
    what: `"${path}" is not a file of root's, in a directory of root's`,
    todo: "Name another file with --log-sink.",
  });
}

/** @returns undefined if somebody else than root has a say in what is there. */
function openLogOfRoot(path: string, flags: number, libc: Libc): Fd | undefined {
  const slash = path.lastIndexOf("/");
  const real = trustedPath(libc, path.slice(0, slash)) + path.slice(slash);
  return inParent(libc, real, (ownPath, directory) => {
    if (libc.fstat(directory).uid !== 0) return undefined;
    const fd = libc.open(byteStringOf(ownPath), flags, 0o600);
    const { mode, links, uid } = libc.fstat(fd);
    if ((mode & TYPE.mask) === TYPE.file && links === 1 && uid === 0) return fd;
    libc.close(fd);
    return undefined;
  });
}

/** Severities of syslog, which journald has as well. */
const SEVERITIES: Readonly<Record<string, number>> = {
  fatal: 2,
  error: 3,
  warning: 4,
  info: 6,
  debug: 7,
  trace: 7,
};
const FACILITY_DAEMON = 3;
/** Both refuse messages that are much longer. */
const MESSAGE_SIZE_MAX = 8000;

/** To syslog, in the form that its local socket takes. @see RFC 3164, section 4.1 */
export function syslogSink(socketPath: string): LogSink {
  return datagramSink(socketPath, ({ message, level, facts }) => {
    const priority = FACILITY_DAEMON * 8 + severityOf(level);
    const text = [message, ...Object.entries(facts).map(([name, value]) => `${name}=${value}`)];
    const words = text.join(" ").replaceAll(/[\r\n]+/g, " ").slice(0, MESSAGE_SIZE_MAX);
    return byteArray(`<${priority}>${syslogTime(new Date())} pbkfs[${Deno.pid}]: ${words}`);
  });
}

/** To journald, fields and all. @see systemd.io/JOURNAL_NATIVE_PROTOCOL */
export function journaldSink(socketPath: string): LogSink {
  return datagramSink(socketPath, ({ message, level, facts }) => {
    const fields: [string, string][] = [
      ["MESSAGE", message.slice(0, MESSAGE_SIZE_MAX)],
      ["PRIORITY", `${severityOf(level)}`],
      ["SYSLOG_IDENTIFIER", "pbkfs"],
      ...Object.entries(facts).map((
        [name, value],
      ): [string, string] => [
        `PBKFS_${name.replaceAll(/([A-Z])/g, "_$1").toUpperCase()}`,
        `${value}`,
      ]),
    ];
    const parts = fields.map(([name, value]) => journalField(name, value));
    const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  });
}

/** A value of several lines comes with its length in front. */
function journalField(name: string, value: string): Uint8Array<ArrayBuffer> {
  if (!value.includes("\n")) return byteArray(`${name}=${value}\n`);
  const body = byteArray(value);
  const head = byteArray(`${name}\n`);
  const field = new Uint8Array(head.length + 8 + body.length + 1);
  field.set(head);
  new DataView(field.buffer).setBigUint64(head.length, BigInt(body.length), true);
  field.set(body, head.length + 8);
  field[field.length - 1] = 10;
  return field;
}

function datagramSink(
  socketPath: string,
  encode: (line: LogLine) => Uint8Array<ArrayBuffer>,
): LogSink {
  const sender = new DatagramSender(socketPath);
  return {
    write: (line) => void sender.send(encode(line)),
    reopen: () => sender.close(),
    close: () => sender.close(),
  };
}

function writeLine(libc: Libc, fd: Fd, text: string): void {
  const bytes = byteArray(`${text}\n`);
  try {
    libc.write(fd, addressOf(bytes), bytes.length);
  } catch {
    // A full disk, or a reader that is gone.
  }
}

function severityOf(level: string): number {
  return SEVERITIES[level] ?? 6;
}

/** `Nov  5 09:03:01`, in local time. */
function syslogTime(time: Date): string {
  const [, month = "", day = "", , clock = ""] = time.toString().split(" ");
  return `${month} ${String(Number(day)).padStart(2)} ${clock}`;
}

function byteArray(text: string): Uint8Array<ArrayBuffer> {
  return bytesOf(byteStringOf(text));
}
