/**
 * The layout of a chain in the store: the path of each file, and the member that holds it.
 *
 * @module
 */

import { type ByteString, byteStringOf, printable } from "../../../ffi/bytes.ts";
import { TYPE } from "../../../ffi/file_type.ts";
import type { BackupInfo, ChainSpec } from "../catalog/chain_spec.ts";
import { ABSENT, UNCHANGED } from "./member_files.ts";
import type { Row } from "../../tree/path_list.ts";
import type { FileLists } from "./file_lists.ts";
import { storeDamaged } from "../../tree/store_error.ts";
import type { StoredFile } from "../../tree/store_files.ts";

/** Answers for rows of dest's list. */
export class StoreLayout {
  readonly #dirPaths: readonly ByteString[];

  constructor(private readonly spec: ChainSpec, private readonly lists: FileLists) {
    this.#dirPaths = spec.members.map((info) => byteStringOf(info.dirPath));
  }

  /** The file as stored by a member of the chain, with the path it has in the tree. */
  storedFile(row: Row, member: number, treePath: ByteString): StoredFile {
    const number = this.lists.paths.external(row);
    const folder = number === 0 ? "database" : `external_directories/externaldir${number}`;
    const path = `${this.#dirPaths[member]}/${folder}/${this.lists.paths.path(row)}` as ByteString;
    return {
      key: member * this.lists.paths.count + row,
      path,
      sizeBytes: this.lists.members[member]!.storedSizeBytes(row),
      of: { path: treePath, backupId: this.info(member).id },
    };
  }

  /** The `page_header_map` of a member. */
  headerMap(member: number, treePath: ByteString): StoredFile {
    return {
      key: -1 - member,
      path: `${this.#dirPaths[member]}/page_header_map` as ByteString,
      of: { path: treePath, backupId: this.info(member).id },
    };
  }

  info(member: number): BackupInfo {
    return this.spec.members[member]!;
  }

  /**
   * The member that holds a file which is stored as it is: dest, or where it last changed.
   *
   * @throws {PbkfsError} `StoreDamaged` if the trace is lost.
   */
  holderOf(row: Row): number {
    const { members, paths } = this.lists;
    for (let member = members.length - 1; member >= 0; member--) {
      const sizeBytes = members[member]!.storedSizeBytes(row);
      if (sizeBytes === UNCHANGED) continue;
      if (sizeBytes !== ABSENT) return member;
      throw storeDamaged(
        `"${printable(paths.path(row))}" is unchanged since backup ${this.info(member).id}, but ` +
          "that backup does not list it",
      );
    }
    throw storeDamaged(`"${printable(paths.path(row))}" is unchanged in all backups of the chain`);
  }

  /**
   * Checks that every file is stored somewhere, and in one form.
   *
   * @throws {PbkfsError} `StoreDamaged`. A restore would fail there, too, or write nonsense.
   */
  check(): void {
    const { members, paths, modes } = this.lists;
    for (let index = 0; index < paths.count; index++) {
      const row = index as Row;
      if ((modes[row]! & TYPE.mask) === TYPE.directory) continue;
      const isPaged = this.lists.isPaged(row);
      const oldest = isPaged ? 0 : this.holderOf(row);
      for (let member = oldest; member < members.length - 1; member++) {
        const files = members[member]!;
        if (files.storedSizeBytes(row) <= 0 || files.isPaged(row) === isPaged) continue;
        throw storeDamaged(
          `"${printable(paths.path(row))}" is ${isPaged ? "a" : "no"} data file in backup ` +
            `${this.info(members.length - 1).id}, but not so in its ancestor ` +
            this.info(member).id,
        );
      }
    }
  }
}
