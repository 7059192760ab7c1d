/**
 * Answers what concerns attributes, extended ones, and the targets of links.
 *
 * @module
 */

import { ERRNO } from "../errors.ts";
import { bytesOf, type ByteString } from "../ffi/bytes.ts";
import type { Handlers } from "../ffi/fuse_operations.ts";
import { allocate, type NativeBuffer } from "../ffi/memory.ts";
import type { Answers } from "./answers.ts";
import type { Ino, Request } from "./file_system.ts";
import type { Replier } from "./reply.ts";

/** Makes the callbacks for what is known of an inode. */
export function attributeHandlers(answers: Answers) {
  const { fileSystem, requests, reply, answer, attributes } = answers;
  return {
    getattr(request: Request, ino: Ino) {
      answer("getattr", request, () => {
        if (requests.isForOpenFile()) fileSystem.mayWrite?.(ino);
        attributes(request, fileSystem.getAttributes(ino), "asked");
      });
    },
    setattr(request: Request, ino: Ino, wanted: number, which: number) {
      answer("setattr", request, () => {
        const change = requests.attributeChange(wanted, which);
        attributes(request, fileSystem.setAttributes(ino, change), "change");
      });
    },
    readlink(request: Request, ino: Ino) {
      answer("readlink", request, () => reply.link(request, fileSystem.readLink(ino)));
    },
  } satisfies Partial<Handlers>;
}

/** Makes the callbacks for extended attributes. */
export function extendedAttributeHandlers(answers: Answers) {
  const { fileSystem, requests, reply, answer } = answers;
  return {
    setxattr(
      request: Request,
      ino: Ino,
      name: number,
      value: number,
      sizeBytes: number,
      flags: number,
    ) {
      answer("setxattr", request, () => {
        const attribute = { name: requests.name(name), value: requests.bytes(value, sizeBytes) };
        fileSystem.setExtendedAttribute(ino, attribute, flags);
        reply.error(request, 0);
      });
    },
    getxattr(request: Request, ino: Ino, name: number, roomBytes: number) {
      answer("getxattr", request, () => {
        const value = fileSystem.getExtendedAttribute(ino, requests.name(name));
        if (value === undefined) reply.error(request, ERRNO.ENODATA);
        else sendValue(reply, { request, value, roomBytes });
      });
    },
    listxattr(request: Request, ino: Ino, roomBytes: number) {
      answer("listxattr", request, () => {
        const names = fileSystem.listExtendedAttributes(ino);
        const value = bytesOf(names.map((name) => name + "\0").join("") as ByteString);
        sendValue(reply, { request, value, roomBytes });
      });
    },
    removexattr(request: Request, ino: Ino, name: number) {
      answer("removexattr", request, () => {
        fileSystem.removeExtendedAttribute(ino, requests.name(name));
        reply.error(request, 0);
      });
    },
  } satisfies Partial<Handlers>;
}

function sendValue(reply: Replier, { request, value, roomBytes }: {
  readonly request: Request;
  readonly value: Uint8Array<ArrayBuffer>;
  readonly roomBytes: number;
}): void {
  const buffer: NativeBuffer = allocate(value.length);
  buffer.bytes.set(value);
  const sent = reply.value(request, buffer, roomBytes);
  if (sent === "tooLarge") reply.error(request, ERRNO.ERANGE);
}
