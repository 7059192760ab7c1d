/**
 * The binding of a diff: the record of the backup that the diff belongs to. A diff holds changed
 * pages of one particular base: on another one they would be nonsense, so the first mount writes
 * down which it was.
 *
 * @module
 */

import { PbkfsError } from "../errors.ts";
import type { Owner } from "./owner.ts";

/** What identifies a chain, wherever its catalog lies. */
export interface ChainIdentity {
  /** The kind of backup. */
  readonly kind: string;
  readonly catalogPath: string;
  readonly instance: string;
  readonly systemIdentifier?: string;
  /** From FULL to dest. */
  readonly members: readonly { readonly id: string; readonly contentCrc?: number }[];
}

/** Where `pg_wal` is: an ordinary directory beside the data, or a directory of the mount. */
export type WalPlace = "outside" | "inside";

/** `.pbkfs-binding.json`, the file. */
export interface Binding {
  /** Of this format. */
  readonly version: 2;
  /** The kind of backup. */
  readonly kind: string;
  readonly catalogPath: string;
  readonly instance: string;
  readonly backupId: string;
  readonly chain: readonly { readonly id: string; readonly contentCrc?: number }[];
  readonly systemIdentifier?: string;
  /** PostgreSQL's major version. */
  readonly serverVersion: string;
  readonly mountPath: string;
  readonly wal: WalPlace;
  /** Milliseconds since 1970: the time of the tree's files, as of a restore at that moment. */
  readonly createdAt: number;
  /** Who owns the files of the tree. */
  readonly owner: { readonly uid: number; readonly gid: number };
  /** Lines that the clone's `postgresql.auto.conf` has been given. */
  readonly settings: readonly string[];
  /** The pbkfs that made the diff. */
  readonly madeBy: string;
  /** The process that mounted it last. */
  readonly lastOwner?: Owner;
  /**
   * The diff has metadata, which had come that far when it was mounted last. Missing in diffs of
   * earlier versions.
   */
  readonly metadata?: { readonly generation: number };
}

/** The version of {@link Binding} that is written. */
export const BINDING_VERSION = 2;

/**
 * Checks a binding against what was asked for by name, before a catalog is looked at.
 *
 * @throws {PbkfsError} `DiffForeign` with both values, if they are not the same.
 */
export function checkNames(
  binding: Binding,
  asked: { readonly instance?: string | undefined; readonly backupId?: string | undefined },
  path: string,
): void {
  const { instance = binding.instance, backupId = binding.backupId } = asked;
  if (instance !== binding.instance) differs(path, "instance", binding.instance, instance);
  // What `latest` is, the catalog knows.
  if (backupId.toUpperCase() === "LATEST" || backupId.toUpperCase() === binding.backupId) return;
  differs(path, "backup", binding.backupId, backupId.toUpperCase());
}

/** Checks the kind of backup. @throws {PbkfsError} `DiffForeign` with both values. */
export function checkKind(binding: Binding, kind: string, path: string): void {
  if (kind !== binding.kind) differs(path, "a backup of the kind", binding.kind, kind);
}

/**
 * Checks a binding against the chain that was asked for. Where its catalog lies does not matter: a
 * catalog may be moved.
 *
 * @throws {PbkfsError} `DiffForeign` with both values, if they are not the same.
 */
export function checkBinding(binding: Binding, wanted: ChainIdentity, path: string): void {
  checkKind(binding, wanted.kind, path);
  const dest = wanted.members.at(-1)?.id ?? "";
  checkNames(binding, { instance: wanted.instance, backupId: dest }, path);
  const known = binding.systemIdentifier;
  const asked = wanted.systemIdentifier;
  if (known !== undefined && asked !== undefined && known !== asked) {
    differs(path, "the cluster with system identifier", known, asked);
  }
  const chainOf = (members: ChainIdentity["members"]) =>
    members.map(({ id, contentCrc }) => `${id}/${contentCrc ?? "-"}`).join(" ");
  if (chainOf(binding.chain) !== chainOf(wanted.members)) {
    differs(path, "the chain", chainOf(binding.chain), chainOf(wanted.members));
  }
}

function differs(path: string, what: string, found: string, asked: string): never {
  throw new PbkfsError("DiffForeign", {
    what: `The diff of "${path}" belongs to ${what} ${found}, not ${asked}`,
    todo: `Mount ${what} ${found}, or choose an empty diff directory.`,
  });
}

/**
 * A binding from the bytes of its file.
 *
 * @throws {PbkfsError} `DiffDamaged` if it is not one, `DiffVersion` if another version of pbkfs wrote it.
 */
export function parseBinding(text: string, path: string): Binding {
  const damaged = (why: string, cause?: unknown) =>
    new PbkfsError("DiffDamaged", {
      what: `"${path}" is not a binding: ${why}`,
      todo: "Restore the file from a copy, or choose an empty diff directory.",
      cause,
    });
  let data: Partial<Binding>;
  try {
    data = JSON.parse(text);
  } catch (error) {
    throw damaged("it is not JSON", error);
  }
  if (data === null || typeof data !== "object") throw damaged("it is not an object");
  if (data.version !== BINDING_VERSION) {
    throw new PbkfsError("DiffVersion", {
      what: `"${path}" has version ${data.version}; this pbkfs knows ${BINDING_VERSION}`,
      todo: `Mount it with the pbkfs that wrote it, or empty it: pbkfs cleanup -d "${dirOf(path)}"`,
    });
  }
  const isText = (value: unknown) => typeof value === "string";
  const { kind, catalogPath, instance, backupId, serverVersion, mountPath, owner } = data;
  const areTexts = [kind, catalogPath, instance, backupId, serverVersion, mountPath].every(isText);
  const isWalPlace = data.wal === "outside" || data.wal === "inside";
  const areLists = Array.isArray(data.chain) && data.chain.every(isMember) &&
    Array.isArray(data.settings) && data.settings.every(isText);
  const isOwner = isUserId(owner?.uid) && isUserId(owner?.gid);
  const isTime = Number.isInteger(data.createdAt) && Math.abs(data.createdAt ?? 0) <= DATE_MAX_MS;
  const isCounted = data.metadata === undefined ||
    Number.isSafeInteger(data.metadata?.generation) && data.metadata.generation >= 0;
  if (!areTexts || !isWalPlace || !areLists || !isOwner || !isTime || !isCounted) {
    throw damaged("members are missing, of another type, or have values that cannot be");
  }
  return data as Binding;
}

/** The latest that a `Date` can be. */
const DATE_MAX_MS = 8.64e15;

/** -1 would mean that an owner stays as it is. */
function isUserId(id: unknown): boolean {
  return Number.isInteger(id) && (id as number) >= 0 && (id as number) < 2 ** 32 - 1;
}

function isMember(member: unknown): boolean {
  const { id, contentCrc } = (member ?? {}) as Partial<Binding["chain"][number]>;
  return typeof id === "string" && (contentCrc === undefined || Number.isInteger(contentCrc));
}

function dirOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}
