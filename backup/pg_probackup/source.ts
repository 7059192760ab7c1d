/**
 * pg_probackup's chains as a source of backups.
 *
 * @module
 */

import { PbkfsError } from "../../errors.ts";
import type { Base, OpenOptions } from "../tree/base.ts";
import type { BackupRef, BackupSource, FirstLook, Learnt } from "../tree/source.ts";
import { catalogUser } from "./catalog/catalog_user.ts";
import { changeOfChain } from "./catalog/chain_change.ts";
import { type ChainSpec, destOf } from "./catalog/chain_spec.ts";
import { ownerOf } from "./catalog/open_instance.ts";
import { type ChainOptions, resolveChain } from "./catalog/resolve_chain.ts";
import { buffersOf, FileLists, type FileListsData } from "./lists/file_lists.ts";
import { PlainFiles } from "./lists/plain_files.ts";
import { readFileLists } from "./lists/read_lists.ts";
import { holdChain } from "./locks/hold_chain.ts";
import { openChain } from "./pages/open_chain.ts";
import { planWal } from "./wal/wal_archive.ts";

const KIND = "pg_probackup";

/** A chain of a pg_probackup catalog. */
export const PG_PROBACKUP: BackupSource<ChainSpec, ChainOptions> = {
  kind: KIND,
  placeName: "catalog",

  async resolve(wanted: ChainOptions): Promise<BackupRef<ChainSpec>> {
    return refOf(await resolveChain(wanted));
  },

  owner: ({ data }) => ownerOf(data),

  mustBeRootsAlone({ data }) {
    const other = catalogUser(data.catalogPath, data.instance);
    if (other === undefined) return;
    const { id, dirPath } = destOf(data);
    throw new PbkfsError("PermissionDenied", {
      what: `Backup ${id} belongs to root, the catalog that it is in to user ${other.uid}`,
      todo:
        `Give it to that user: chown -R ${other.uid} "${dirPath}". Or give the catalog to root.`,
    });
  },

  async look({ data: spec }): Promise<FirstLook> {
    const lists = readFileLists(spec);
    const files = PlainFiles.open(spec, lists);
    try {
      return {
        owner: ownerOf(spec),
        walMode: files.walMode,
        wal: await planWal(spec, { walFiles: files.walFiles() }),
        learnt: { data: lists.data, buffers: buffersOf(lists.data) },
      };
    } finally {
      files.close();
    }
  },

  open({ data: spec }, options: OpenOptions, learnt?: Learnt): Promise<Base> {
    const lists = learnt && new FileLists(learnt.data as FileListsData);
    return openChain(spec, { ...options, lists });
  },

  change: ({ data }) => changeOfChain(data),

  hold: ({ data }, options) => holdChain(data, options),
};

function refOf(spec: ChainSpec): BackupRef<ChainSpec> {
  const { catalogPath, instance, systemIdentifier, members, notes = [] } = spec;
  const { id, serverVersion } = destOf(spec);
  const kinds = members.map(({ id, mode }) => `${id} ${mode}`).join(", ");
  return {
    kind: KIND,
    identity: {
      ...{ catalogPath, instance },
      ...(systemIdentifier !== undefined && { systemIdentifier }),
      members: members.map(({ id, contentCrc }) => ({
        id,
        ...(contentCrc !== undefined && { contentCrc }),
      })),
    },
    serverVersion,
    modes: members.map(({ mode }) => mode),
    title: `${id} of ${instance} (${kinds})`,
    notes,
    data: spec,
  };
}
