/**
 * Answers who lists a directory.
 *
 * @module
 */

import type { Handlers } from "../ffi/fuse_operations.ts";
import type { Answers } from "./answers.ts";
import type { Attributes, Ino, ListedEntry, Request } from "./file_system.ts";

/** Makes the callbacks for listings, with attributes and without. */
export function listingHandlers(answers: Answers) {
  const { fileSystem, reply, answer } = answers;
  /** One damaged file must not hide the others: without attributes, the kernel looks it up. */
  const attributesOf = ({ name, ino }: ListedEntry): Attributes | undefined => {
    if (name === "." || name === ".." || fileSystem.mustAsk?.(ino) === true) return undefined;
    try {
      return fileSystem.getAttributes(ino);
    } catch {
      return undefined;
    }
  };
  const list =
    (withAttributes: boolean) =>
    (request: Request, ino: Ino, roomBytes: number, cookie: number): void => {
      answer("readdir", request, () => {
        reply.listing(request, fileSystem.list(ino, cookie), {
          roomBytes,
          attributesOf: withAttributes ? attributesOf : undefined,
          // A listing with attributes counts as a lookup of each name.
          listed: (entry) => fileSystem.remember(entry.ino),
        });
      });
    };
  return { readdir: list(false), readdirplus: list(true) } satisfies Partial<Handlers>;
}
