/**
 * Sends messages to a Unix datagram socket, as syslog, journald and systemd's readiness protocol
 * want them. Deno has no such sockets without flags.
 *
 * @module
 */

import { ERRNO } from "../errors.ts";
import { bytesOf, byteStringOf } from "./bytes.ts";
import { type Functions, openLibrary } from "./library.ts";
import { addressOf, borrow, toAddress } from "./memory.ts";

const SYMBOLS = {
  // int socket(int domain, int type, int protocol)
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  // int connect(int fd, const struct sockaddr *address, socklen_t size)
  connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  // ssize_t send(int fd, const void *bytes, size_t size, int flags)
  send: { parameters: ["i32", "usize", "usize", "i32"], result: "i32" },
  // int close(int fd)
  close: { parameters: ["i32"], result: "i32" },
  // int *__errno_location(void)
  __errno_location: { parameters: [], result: "pointer" },
} as const satisfies Deno.ForeignLibraryInterface;

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
/** `struct sockaddr_un`: a family of 2 bytes, and a path with the zero byte behind it. */
const PATH_SIZE_BYTES = 108;

let opened: Functions<typeof SYMBOLS> | undefined;

/** One end of a socket. Messages that nobody takes are lost: a sender never waits. */
export class DatagramSender {
  readonly #libc = opened ??= openLibrary(["libc.so.6"], SYMBOLS);
  readonly #address: Uint8Array<ArrayBuffer>;
  #fd = -1;

  /** @param path Of the socket; with `@` in front, a name in the abstract namespace. */
  constructor(path: string) {
    const name = bytesOf(byteStringOf(path.replace(/^@/, "\0")));
    if (name.length >= PATH_SIZE_BYTES) throw new RangeError(`"${path}" is too long for a socket`);
    // The size of an abstract name counts; a path ends with a zero byte.
    this.#address = new Uint8Array(2 + name.length + (path.startsWith("@") ? 0 : 1));
    this.#address[0] = AF_UNIX;
    this.#address.set(name, 2);
  }

  /** @returns Whether the message went off. */
  send(message: Uint8Array<ArrayBuffer>): boolean {
    // Who listens may have been started anew: then the second attempt succeeds.
    for (const isLast of [false, true]) {
      if (!this.#connect()) return false;
      const flags = MSG_DONTWAIT | MSG_NOSIGNAL;
      const sent = this.#libc.send(this.#fd, addressOf(message), message.length, flags);
      if (sent === message.length) return true;
      if (isLast || this.#errno() === ERRNO.EAGAIN) return false;
      this.close();
    }
    return false;
  }

  close(): void {
    if (this.#fd >= 0) this.#libc.close(this.#fd);
    this.#fd = -1;
  }

  #connect(): boolean {
    if (this.#fd >= 0) return true;
    this.#fd = this.#libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (this.#fd < 0) return false;
    if (this.#libc.connect(this.#fd, this.#address, this.#address.length) === 0) return true;
    this.close();
    return false;
  }

  #errno(): number {
    return new Int32Array(borrow(toAddress(this.#libc.__errno_location()), 4).buffer)[0] ?? 0;
  }
}
