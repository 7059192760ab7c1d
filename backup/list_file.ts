/**
 * One `backup_content.control`: read whole, checked against its CRC, and taken over line by line.
 *
 * @module
 */

import { PbkfsError } from "../errors.ts";
import { type ByteString, byteString, printable } from "../ffi/bytes.ts";
import type { BackupInfo } from "./chain_spec.ts";
import type { ContentLine } from "./content_line.ts";
import { scanContentList } from "./content_list.ts";
import { crc32c } from "./crc32c.ts";
import { type MemberFiles, UNCHANGED } from "./member_files.ts";
import type { Row } from "./path_table.ts";
import { BAD_LIST_BYTES, BAD_LIST_VERSIONS, parseProgramVersion } from "./program_version.ts";
import { storeDamaged } from "./store_error.ts";

const TYPE_BITS = 0o170000;
const REGULAR = 0o100000;
const DIRECTORY = 0o040000;
const COMMA = 0x2c;

/** One list, with what its messages need. */
export class ListFile {
  #lineNumber = 0;

  private constructor(
    readonly info: BackupInfo,
    readonly filePath: string,
    readonly bytes: Uint8Array<ArrayBuffer>,
  ) {}

  static read(info: BackupInfo, buffer: ListBuffer): ListFile {
    const filePath = `${info.dirPath}/backup_content.control`;
    const bytes = buffer.read(filePath);
    const found = crc32c(bytes);
    if (info.contentCrc !== undefined && found !== info.contentCrc) {
      throw storeDamaged(
        `The CRC of "${filePath}" is ${found}, but backup.control says ${info.contentCrc}`,
      );
    }
    const version = parseProgramVersion(info.programVersion) ?? 0;
    if (BAD_LIST_VERSIONS.includes(version) && bytes.length >= BAD_LIST_BYTES) {
      throw new PbkfsError("VersionUnsupported", {
        what: `pg_probackup ${info.programVersion} wrote wrong lists when they became as long as ` +
          `"${filePath}", which has ${bytes.length} bytes`,
        todo: "Choose another backup: a restore of this one fails, too.",
      });
    }
    return new ListFile(info, filePath, bytes);
  }

  scan(add: (line: ContentLine) => void): void {
    const bad = scanContentList(this.bytes, (line, lineNumber) => {
      this.#lineNumber = lineNumber;
      add(line);
    });
    if (bad !== undefined) {
      throw storeDamaged(`Line ${bad.line} of "${this.filePath}" ${bad.reason}`);
    }
  }

  take(files: MemberFiles, row: Row, line: ContentLine): void {
    if (line.sizeBytes === UNCHANGED && this.info.mode === "FULL") {
      throw this.refuse(line, "is said to be unchanged, but a FULL backup has no parent");
    }
    if (line.isPartialCopy && line.sizeBytes > 0) {
      throw new PbkfsError("VersionUnsupported", {
        what:
          `Line ${this.#lineNumber} of "${this.filePath}": "${
            printable(this.#pathOf(line))
          }" is part of a ` +
          "compressed relation file, not the whole",
        todo: "Restore this backup with the program that made it.",
      });
    }
    const problem = files.set(row, line);
    if (problem === "repeated") throw this.refuse(line, "is listed twice");
    if (problem === undefined) return;
    const name = printable(byteString(this.bytes.subarray(line.codecStart, line.codecEnd)));
    throw new PbkfsError("CodecUnsupported", {
      what: `Line ${this.#lineNumber} of "${this.filePath}": compress_alg is "${name}", expected ` +
        "none, zlib, pglz, lz4 or zstd",
      todo: "Make a backup with another --compress-algorithm.",
    });
  }

  /** What dest lists becomes a name in a file system, so it must be one. */
  checkDestLine(line: ContentLine): void {
    const path = this.#pathOf(line);
    if (!isSafePath(path)) {
      throw this.refuse(line, "is no path below the data directory");
    }
    if (this.#hasCommaBeforeLetter(line)) {
      throw this.refuse(line, "has a comma before a letter, so that pg_probackup misreads it");
    }
    const type = line.mode & TYPE_BITS;
    if (type !== REGULAR && type !== DIRECTORY) {
      throw new PbkfsError("VersionUnsupported", {
        what: `Line ${this.#lineNumber} of "${this.filePath}": "${printable(path)}" has mode ` +
          `${line.mode}, expected a regular file or a directory`,
        todo: "pg_probackup lists no others; run pg_probackup validate.",
      });
    }
  }

  refuse(line: ContentLine, why: string): PbkfsError {
    const path = printable(this.#pathOf(line));
    return storeDamaged(`Line ${this.#lineNumber} of "${this.filePath}": "${path}" ${why}`);
  }

  #pathOf(line: ContentLine): ByteString {
    return byteString(this.bytes.subarray(line.pathStart, line.pathEnd));
  }

  #hasCommaBeforeLetter(line: ContentLine): boolean {
    for (let at = line.pathStart; at + 1 < line.pathEnd; at++) {
      if (this.bytes[at] !== COMMA) continue;
      const next = this.bytes[at + 1]! | 0x20;
      if (next >= 0x61 && next <= 0x7a) return true;
    }
    return false;
  }
}

/** Relative, without empty parts, `.` and `..`, and without zero bytes. */
export function isSafePath(path: ByteString): boolean {
  return !/(^|\/)(\.{0,2})(\/|$)|\0/.test(path);
}

/** Memory for one list at a time, since those of a long chain are large and soon done with. */
export class ListBuffer {
  #bytes = new Uint8Array(64 * 1024);

  /** The result is valid until the next call. */
  read(path: string): Uint8Array<ArrayBuffer> {
    try {
      using file = Deno.openSync(path, { read: true });
      const { size } = file.statSync();
      if (size > this.#bytes.length) this.#bytes = new Uint8Array(size);
      let length = 0;
      for (let got: number | null = 1; got && length < size; length += got ?? 0) {
        got = file.readSync(this.#bytes.subarray(length, size));
      }
      return this.#bytes.subarray(0, length);
    } catch (error) {
      const denied = error instanceof Deno.errors.PermissionDenied;
      throw new PbkfsError(denied ? "PermissionDenied" : "StoreDamaged", {
        what: `Cannot read "${path}": ${error instanceof Error ? error.message : error}`,
        todo: denied
          ? "Run pbkfs as the user who owns the catalog."
          : "Run pg_probackup validate, then choose a backup that it calls OK.",
        cause: error,
      });
    }
  }
}
