/**
 * Errors that hide other errors, as when cleaning up fails after a failure.
 *
 * @module
 */

/** The messages of an error and of those that it hides, the first failure first. */
export function messagesOf(error: unknown): string[] {
  if (error instanceof SuppressedError) {
    return [...messagesOf(error.suppressed), ...messagesOf(error.error)];
  }
  return [error instanceof Error ? error.stack ?? error.message : String(error)];
}

/** Runs `body`; if it fails more than once, the error tells all of it. */
export async function tellingAll(body: () => void | Promise<void>): Promise<void> {
  try {
    await body();
  } catch (error) {
    if (!(error instanceof SuppressedError)) throw error;
    throw new Error(messagesOf(error).join("\n"), { cause: error });
  }
}
