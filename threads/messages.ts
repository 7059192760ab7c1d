/**
 * The messages between a thread and who starts it.
 *
 * @module
 */

import type { ErrorData } from "../errors.ts";

/** To a thread: first that it loads its code, and then what it is to do. */
export type ThreadRequest<Load, Setup> =
  | { readonly load: Load }
  | { readonly begin: Setup };

/** From a thread. */
export type ThreadAnswer<Ready, News> =
  /** To the first request, and to the second one. */
  | { readonly loaded: true }
  | { readonly ready: Ready }
  /** To either of them, instead. */
  | { readonly failed: ErrorData }
  /** While it works. */
  | { readonly news: News }
  /** Its work is done; with an error, it could not be. */
  | { readonly ended: { readonly error?: ErrorData } };
