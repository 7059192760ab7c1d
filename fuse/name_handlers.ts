/**
 * Answers what concerns names in directories.
 *
 * @module
 */

import type { Handlers } from "../ffi/fuse_operations.ts";
import type { Answers } from "./answers.ts";
import type { Ino, Request } from "./file_system.ts";

/** Makes the callbacks that look names up, and that change or remove them. */
export function nameHandlers(answers: Answers) {
  const { fileSystem, reply, answer, place, entry, onError } = answers;
  return {
    lookup(request: Request, parent: Ino, name: number) {
      answer("lookup", request, () => {
        entry(request, fileSystem.lookup(place(parent, name)));
      });
    },
    forget(request: Request, ino: Ino, count: number) {
      try {
        fileSystem.forget(ino, count);
      } catch (error) {
        onError("forget", error);
      }
      reply.nothing(request);
    },
    unlink(request: Request, parent: Ino, name: number) {
      answer("unlink", request, () => {
        fileSystem.unlink(place(parent, name));
        reply.error(request, 0);
      });
    },
    rmdir(request: Request, parent: Ino, name: number) {
      answer("rmdir", request, () => {
        fileSystem.removeDirectory(place(parent, name));
        reply.error(request, 0);
      });
    },
    rename(
      request: Request,
      parent: Ino,
      name: number,
      newParent: Ino,
      newName: number,
      flags: number,
    ) {
      answer("rename", request, () => {
        fileSystem.rename(place(parent, name), place(newParent, newName), flags);
        reply.error(request, 0);
      });
    },
  } satisfies Partial<Handlers>;
}

/** Makes the callbacks that make something under a new name. */
export function makingHandlers(answers: Answers) {
  const { fileSystem, requests, reply, answer, place, entry } = answers;
  return {
    mknod(request: Request, parent: Ino, name: number, mode: number, rdev: number) {
      answer("mknod", request, () => {
        const node = { mode, rdev, caller: requests.caller(request) };
        entry(request, fileSystem.makeNode(place(parent, name), node));
      });
    },
    mkdir(request: Request, parent: Ino, name: number, mode: number) {
      answer("mkdir", request, () => {
        const node = { mode, rdev: 0, caller: requests.caller(request) };
        reply.entry(request, fileSystem.makeDirectory(place(parent, name), node));
      });
    },
    create(request: Request, parent: Ino, name: number, mode: number) {
      answer("create", request, () => {
        const node = { mode, rdev: 0, caller: requests.caller(request) };
        const made = fileSystem.makeNode(place(parent, name), node);
        reply.created(request, made);
        fileSystem.told?.(made.ino, "change");
      });
    },
    symlink(request: Request, target: number, parent: Ino, name: number) {
      answer("symlink", request, () => {
        const caller = requests.caller(request);
        const made = fileSystem.makeSymlink(place(parent, name), requests.name(target), caller);
        reply.entry(request, made);
      });
    },
    link(request: Request, ino: Ino, newParent: Ino, newName: number) {
      answer("link", request, () => {
        const made = fileSystem.link(ino, place(newParent, newName));
        reply.entry(request, made);
        fileSystem.told?.(made.ino, "change");
      });
    },
  } satisfies Partial<Handlers>;
}
