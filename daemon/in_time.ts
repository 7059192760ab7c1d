/**
 * Waits, but not for ever.
 *
 * @module
 */

/** What `promise` gives, or `late` if that takes longer. */
export async function inTime<T, L>(promise: Promise<T>, limitMs: number, late: L): Promise<T | L> {
  const { promise: timeout, resolve } = Promise.withResolvers<L>();
  const timer = setTimeout(() => resolve(late), limitMs);
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
