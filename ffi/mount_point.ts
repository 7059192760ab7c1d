/**
 * Mounting and unmounting by root for somebody else, who may own the directories on the way there:
 * they are opened through no symbolic link, and then meant by their descriptors.
 *
 * @module
 */

import type { ByteString } from "./bytes.ts";
import { asRoot } from "./credentials.ts";
import { type Fd, type Libc, OPEN } from "./libc.ts";
import { openPlainDirectory } from "./open_beneath.ts";

/** Calls `mount` with a name for the directory at `path` that nobody can make stand for another. */
export function mountingOn<T>(libc: Libc, path: ByteString, mount: (path: ByteString) => T): T {
  return asRoot(() => {
    const fd = openPlainDirectory(libc, path, OPEN.pathOnly | OPEN.noFollow);
    try {
      return mount(nameOf(fd));
    } finally {
      libc.close(fd);
    }
  });
}

/**
 * Unmounts what is on top at `path`, as root.
 *
 * @param path Absolute, as the kernel lists it.
 * @throws {PbkfsError} `Io` with the errno.
 */
export function unmountAt(
  libc: Libc,
  path: ByteString,
  options: { readonly lazy: boolean },
): void {
  const slash = path.lastIndexOf("/");
  const name = path.slice(slash + 1);
  asRoot(() => {
    if (slash <= 0) return libc.unmount(path, options);
    const parent = openPlainDirectory(libc, path.slice(0, slash) as ByteString, OPEN.pathOnly);
    try {
      libc.unmount(`${nameOf(parent)}/${name}` as ByteString, options);
    } finally {
      libc.close(parent);
    }
  });
}

function nameOf(fd: Fd): ByteString {
  return `/proc/self/fd/${fd}` as ByteString;
}
