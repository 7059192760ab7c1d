/**
 * The C library for the threads that serve a mount: by it they read the store, and write and sync
 * the diff's data files. It is the library of {@link systemLibc}, unless code that runs in the
 * thread puts something in between. Only rigs do: no option, file or variable leads to it.
 *
 * @module
 */

import { type Libc, systemLibc } from "./libc.ts";

let between: ((libc: Libc) => Libc) | undefined;

/** The C library, for one user of it in a thread that serves. */
export function servingLibc(): Libc {
  const libc = systemLibc();
  return between === undefined ? libc : between(libc);
}

/**
 * Has {@link servingLibc} give what `change` makes of the C library, in this thread, from now on.
 * Nothing of the product calls it.
 */
export function interceptLibc(change: (libc: Libc) => Libc): void {
  between = change;
}
