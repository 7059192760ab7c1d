/**
 * Completes the answer to INIT with features of the kernel that libfuse does not pass on.
 *
 * libfuse writes the answer itself. While it does, its descriptor stands for a pipe; what comes
 * out is amended and sent to the kernel. Requests after INIT are not touched.
 *
 * @module
 */

import type { Layout } from "../ffi/layout.ts";
import { readField, writeField } from "../ffi/layout.ts";
import type { Fd, Libc } from "../ffi/libc.ts";
import { allocate } from "../ffi/memory.ts";

/** `struct fuse_init_in` behind its header, and `struct fuse_init_out` likewise. linux/fuse.h. */
const INIT_IN = { flags: { kind: "u32", at: 40 + 12 } } as const satisfies Layout;
const INIT_OUT = {
  error: { kind: "i32", at: 4 },
  flags: { kind: "u32", at: 16 + 12 },
} as const satisfies Layout;

/**
 * Who serves clears the set-user-ID bits when told to. Without it the kernel asks for the extended
 * attribute `security.capability` before every single write. Source: FUSE_HANDLE_KILLPRIV_V2.
 */
const CLEARS_PRIVILEGES = 1 << 28;

const REPLY_SIZE_BYTES_MAX = 4096;

/**
 * Runs `process`, which makes libfuse answer the INIT request that lies in `request`.
 *
 * @param fuseFd The session's descriptor.
 */
export function completeInit(options: {
  readonly libc: Libc;
  readonly fuseFd: Fd;
  readonly request: DataView;
  readonly process: () => void;
}): void {
  const { libc, fuseFd, request, process } = options;
  const device = libc.dup(fuseFd);
  const pipe = libc.pipe();
  try {
    libc.replace(pipe.write, fuseFd);
    try {
      process();
    } finally {
      libc.replace(device, fuseFd);
    }
    if (!libc.waitReadable(pipe.read, 0)) return;
    const reply = allocate(REPLY_SIZE_BYTES_MAX);
    const size = libc.read(pipe.read, reply.address, reply.sizeBytes);
    if (size > INIT_OUT.flags.at && readField(reply.view, INIT_OUT.error) === 0) {
      const offered = readField(request, INIT_IN.flags) & CLEARS_PRIVILEGES;
      const flags = (readField(reply.view, INIT_OUT.flags) | offered) >>> 0;
      writeField(reply.view, INIT_OUT.flags, flags);
    }
    libc.write(fuseFd, reply.address, size);
  } finally {
    for (const fd of [device, pipe.read, pipe.write]) libc.close(fd);
  }
}
