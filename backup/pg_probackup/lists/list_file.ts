/**
 * One `backup_content.control`: read in parts, taken over line by line, and checked against its
 * CRC. Nothing that was taken counts if the CRC is wrong.
 *
 * @module
 */

import { PbkfsError } from "../../../errors.ts";
import { type ByteString, byteString, printable } from "../../../ffi/bytes.ts";
import { TYPE } from "../../../ffi/file_type.ts";
import type { BackupInfo } from "../catalog/chain_spec.ts";
import type { ContentLine } from "./content_line.ts";
import { type BadLine, scanContentList } from "./content_list.ts";
import { crc32c } from "../../tree/crc32c.ts";
import { type MemberFilesBuilder, UNCHANGED } from "./member_files.ts";
import type { Row } from "../../tree/path_list.ts";
import {
  BAD_LIST_BYTES,
  BAD_LIST_VERSIONS,
  parseProgramVersion,
} from "../catalog/program_version.ts";
import { type FileOwner, StoreDirectory, StoreRefusal } from "../../tree/store_directory.ts";
import { isDenied, storeDamaged } from "../../tree/store_error.ts";

const COMMA = 0x2c;
const DOT = 0x2e;
const SLASH = 0x2f;
const LIST_NAME = "backup_content.control";
/** Nine million files. A longer one would take minutes, and gigabytes of memory. */
const LIST_BYTES_MAX = 2 ** 31;
/** A list of so many lines is shorter than that only if they are made up. */
export const LIST_LINES_MAX = 10_000_000;
/** At a time, of what nobody scans. */
const REST_BYTES = 64 * 1024;

/** One list, with what its messages need. */
export class ListFile implements Disposable {
  readonly sizeBytes: number;
  readonly #file: Deno.FsFile;
  /** Of what has been read so far. */
  #crc = 0;
  #readBytes = 0;
  #lineNumber = 0;
  /** What the line that is taken points into. */
  #bytes = new Uint8Array();

  private constructor(readonly info: BackupInfo, readonly filePath: string, file: Deno.FsFile) {
    this.#file = file;
    this.sizeBytes = file.statSync().size;
    if (this.sizeBytes <= LIST_BYTES_MAX) return;
    file.close();
    throw new RangeError(
      `it has ${this.sizeBytes} bytes, and we read lists of ${LIST_BYTES_MAX} at most`,
    );
  }

  /** @throws {PbkfsError} `StoreDamaged` or `PermissionDenied` if it cannot be opened. */
  static open(info: BackupInfo, reader: FileOwner): ListFile {
    const filePath = `${info.dirPath}/${LIST_NAME}`;
    return readable(filePath, () => {
      using directory = StoreDirectory.open(info.dirPath, { reader });
      return new ListFile(info, filePath, directory.stream(LIST_NAME));
    });
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }

  /**
   * Calls `take` for each line. The bytes that it gets are valid only during the call.
   *
   * @throws {PbkfsError} What is wrong with the list; that the CRC is, comes before all else.
   */
  scan(take: (line: ContentLine, bytes: Uint8Array) => void): void {
    let bad: BadLine | undefined;
    try {
      bad = scanContentList((target) => this.#read(target), (line, lineNumber, bytes) => {
        this.#lineNumber = lineNumber;
        this.#bytes = bytes as Uint8Array<ArrayBuffer>;
        take(line, bytes);
      });
    } finally {
      this.#checkWhole();
    }
    if (bad === undefined) return;
    throw storeDamaged(`Line ${bad.line} of "${this.filePath}" ${bad.reason}`);
  }

  take(files: MemberFilesBuilder, row: Row, line: ContentLine): void {
    if (line.sizeBytes === UNCHANGED && this.info.mode === "FULL") {
      throw this.refuse(line, "is said to be unchanged, but a FULL backup has no parent");
    }
    if (line.isPartialCopy && line.sizeBytes > 0) {
      throw new PbkfsError("VersionUnsupported", {
        what: `Line ${this.#lineNumber} of "${this.filePath}": ` +
          `"${printable(this.#pathOf(line))}" is part of a compressed relation file, not the whole`,
        todo: "Restore this backup with the program that made it.",
      });
    }
    const problem = files.set(row, line);
    if (problem === "repeated") throw this.refuse(line, "is listed twice");
    if (problem === undefined) return;
    const name = printable(byteString(this.#bytes.subarray(line.codecStart, line.codecEnd)));
    throw new PbkfsError("CodecUnsupported", {
      what: `Line ${this.#lineNumber} of "${this.filePath}": compress_alg is "${name}", expected ` +
        "none, zlib, pglz, lz4 or zstd",
      todo: "Make a backup with another --compress-algorithm.",
    });
  }

  /** What dest lists becomes a name in a file system, so it must be one. */
  checkDestLine(line: ContentLine): void {
    if (!isSafePath(this.#bytes, line)) {
      throw this.refuse(line, "is no path below the data directory");
    }
    if (this.#hasCommaBeforeLetter(line)) {
      throw this.refuse(line, "has a comma before a letter, so that pg_probackup misreads it");
    }
    const type = line.mode & TYPE.mask;
    if (type !== TYPE.file && type !== TYPE.directory) {
      throw new PbkfsError("VersionUnsupported", {
        what: `Line ${this.#lineNumber} of "${this.filePath}": ` +
          `"${printable(this.#pathOf(line))}" has mode ${line.mode}, expected a regular file ` +
          "or a directory",
        todo: "pg_probackup lists no others; run pg_probackup validate.",
      });
    }
  }

  refuse(line: ContentLine, why: string): PbkfsError {
    const path = printable(this.#pathOf(line));
    return storeDamaged(`Line ${this.#lineNumber} of "${this.filePath}": "${path}" ${why}`);
  }

  #pathOf(line: ContentLine): ByteString {
    return byteString(this.#bytes.subarray(line.pathStart, line.pathEnd));
  }

  #hasCommaBeforeLetter(line: ContentLine): boolean {
    const bytes = this.#bytes;
    for (let at = line.pathStart; at + 1 < line.pathEnd; at++) {
      if (bytes[at] !== COMMA) continue;
      const next = bytes[at + 1]! | 0x20;
      if (next >= 0x61 && next <= 0x7a) return true;
    }
    return false;
  }

  /** The list is as long as it was when it was opened. */
  #read(target: Uint8Array): number {
    const wanted = Math.min(target.length, this.sizeBytes - this.#readBytes);
    if (wanted === 0) return 0;
    const part = target.subarray(0, wanted);
    const got = readable(this.filePath, () => this.#file.readSync(part)) ?? 0;
    this.#crc = crc32c(part.subarray(0, got), this.#crc);
    this.#readBytes += got;
    return got;
  }

  /** Reads what is left, and compares the CRC; then refuses what our own program got wrong. */
  #checkWhole(): void {
    const rest = new Uint8Array(this.#readBytes < this.sizeBytes ? REST_BYTES : 0);
    while (this.#read(rest) > 0);
    const { info, filePath, sizeBytes } = this;
    if (info.contentCrc !== undefined && this.#crc !== info.contentCrc) {
      throw storeDamaged(
        `The CRC of "${filePath}" is ${this.#crc}, but backup.control says ${info.contentCrc}`,
      );
    }
    const version = parseProgramVersion(info.programVersion) ?? 0;
    if (!BAD_LIST_VERSIONS.includes(version) || sizeBytes < BAD_LIST_BYTES) return;
    throw new PbkfsError("VersionUnsupported", {
      what: `pg_probackup ${info.programVersion} wrote wrong lists when they became as long as ` +
        `"${filePath}", which has ${sizeBytes} bytes`,
      todo: "Choose another backup: a restore of this one fails, too.",
    });
  }
}

/** Relative, without empty parts, `.` and `..`, and without zero bytes. */
export function isSafePath(
  bytes: Uint8Array,
  { pathStart, pathEnd }: Pick<ContentLine, "pathStart" | "pathEnd">,
): boolean {
  let partStart = pathStart;
  for (let at = pathStart; at <= pathEnd; at++) {
    const byte = at === pathEnd ? SLASH : bytes[at]!;
    if (byte === 0) return false;
    if (byte !== SLASH) continue;
    const length = at - partStart;
    if (length === 0) return false;
    const isDots = bytes[partStart] === DOT && bytes[at - 1] === DOT;
    if (length <= 2 && isDots) return false;
    partStart = at + 1;
  }
  return true;
}

function readable<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    const denied = isDenied(error);
    const why = error instanceof StoreRefusal ? `it ${error.message}` : (error as Error).message;
    throw new PbkfsError(denied ? "PermissionDenied" : "StoreDamaged", {
      what: `Cannot read "${path}": ${why}`,
      todo: denied
        ? "Run pbkfs as the user who owns the catalog."
        : "Run pg_probackup validate, then choose a backup that it calls OK.",
      cause: error,
    });
  }
}
