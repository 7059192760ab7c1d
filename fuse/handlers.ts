/**
 * Turns callbacks of libfuse into calls of a file system, and results into answers.
 * Every request is answered exactly once.
 *
 * @module
 */

import type { Handlers } from "../ffi/fuse_operations.ts";
import { type AnswersOptions, makeAnswers } from "./answers.ts";
import { attributeHandlers, extendedAttributeHandlers } from "./attribute_handlers.ts";
import type { Agreement, ConnectionSettings } from "./connection.ts";
import { connectionHandlers } from "./connection_handlers.ts";
import { bytesHandlers, placesHandlers } from "./data_handlers.ts";
import { listingHandlers } from "./listing_handlers.ts";
import { makingHandlers, nameHandlers } from "./name_handlers.ts";
import { Seeks } from "./seeks.ts";

/** What the callbacks of a session work with. */
export interface HandlersOptions extends AnswersOptions {
  readonly settings: ConnectionSettings;
  /** Told what came of the kernel's offer. */
  readonly onAgreed: (agreement: Agreement) => void;
}

/** The callbacks of a session, and what they leave to be answered later. */
export interface SessionHandlers {
  readonly handlers: Handlers;
  readonly seeks: Seeks;
}

/** Makes the callbacks for a file system. They share buffers: one thread runs them. */
export function makeHandlers(options: HandlersOptions): SessionHandlers {
  const { fuse, fileSystem, settings } = options;
  const answers = makeAnswers(options);
  const seeks = new Seeks({
    fuse,
    fileSystem,
    fail: (request, error) => answers.fail("lseek", request, error),
  });
  const handlers: Handlers = {
    ...connectionHandlers(answers, options),
    ...nameHandlers(answers),
    ...makingHandlers(answers),
    ...attributeHandlers(answers),
    ...extendedAttributeHandlers(answers),
    ...listingHandlers(answers),
    ...bytesHandlers(answers, settings.transferSizeBytesMax),
    ...placesHandlers(answers, seeks),
  };
  return { handlers, seeks };
}
