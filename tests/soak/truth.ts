/**
 * What the files of a backup hold, written to a directory: each has the size and the SHA-256 that
 * `pg_probackup restore` gave it.
 *
 * @module
 */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { openBackup, resolveChain } from "../../mod.ts";
import type { Fixture } from "../support/fixtures.ts";

/** A file that a mount must have. */
export interface TrueFile {
  /** Relative to the data directory. */
  readonly path: string;
  readonly sizeBytes: number;
}

/** Differs from a restore, or is a link to elsewhere. */
const NOT_COMPARED = /^(postgresql\.(auto\.)?conf$|pg_wal\/)/;

/** Writes them below `dirPath`. @returns All that are not empty. */
export async function writeTruth(
  fixture: Fixture,
  backupId: string,
  dirPath: string,
): Promise<TrueFile[]> {
  const tree = await fixture.restored(backupId);
  const chain = await resolveChain({
    catalogPath: fixture.catalogPath,
    instance: "main",
    backupId,
  });
  using backup = await openBackup(chain);
  const files: TrueFile[] = [];
  for (const path of backup.files().sort()) {
    const entry = tree[path];
    if (NOT_COMPARED.test(path) || entry?.type !== "file" || entry.size === 0) continue;
    const bytes = backup.readFile(path);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    assert.deepEqual([path, bytes.length, sha256], [path, entry.size, entry.sha256]);
    Deno.mkdirSync(`${dirPath}/${path}`.replace(/\/[^/]*$/, ""), { recursive: true });
    Deno.writeFileSync(`${dirPath}/${path}`, bytes);
    files.push({ path, sizeBytes: bytes.length });
  }
  assert(files.length > 100, "a data directory has more files");
  return files;
}
