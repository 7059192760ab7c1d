import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { type HandDirectory, handDirectory } from "../../testing/backup/hand_directory.ts";
import { DIRECTORY } from "./source.ts";

/** What pg_basebackup writes, with the sum of it at the end. */
function manifestText(files: readonly object[], more: readonly string[] = []): string {
  const body = [
    '{ "PostgreSQL-Backup-Manifest-Version": 2,',
    ...more,
    '"Files": [',
    files.map((file) => JSON.stringify(file)).join(",\n"),
    "],",
    '"WAL-Ranges": [',
    '{ "Timeline": 1, "Start-LSN": "0/200028", "End-LSN": "0/300100" }',
    "],",
    "",
  ].join("\n");
  const sum = createHash("sha256").update(body).digest("hex");
  return `${body}"Manifest-Checksum": "${sum}"}\n`;
}

/** The files of a hand-made directory. */
function filesOf(dirPath: string): { Path?: string; "Encoded-Path"?: string; Size: number }[] {
  const names = ["PG_VERSION", "backup_label", "global/pg_control", "postgresql.conf"];
  const more = ["pg_hba.conf", "pg_ident.conf", "base/5/1259", "base/5/1259_vm", "base/5/empty"];
  const tablespace = "pg_tblspc/16384/PG_17_202406281/5/16385";
  return [...names, ...more, tablespace].map((path) => ({
    Path: path,
    Size: Deno.statSync(`${dirPath}/${path}`).size,
  }));
}

async function resolveWith(
  change: (sample: HandDirectory, files: ReturnType<typeof filesOf>) => string | void,
) {
  await using sample = handDirectory();
  const files = filesOf(sample.dirPath);
  const text = change(sample, files) ?? manifestText(files);
  Deno.writeTextFileSync(`${sample.dirPath}/backup_manifest`, text);
  return await DIRECTORY.resolve({ dirPath: sample.dirPath });
}

function mustRefuse(change: Parameters<typeof resolveWith>[0], message: RegExp) {
  return assert.rejects(resolveWith(change), { code: "StoreDamaged", message });
}

Deno.test("a base backup with all files of its manifest is accepted, whatever their names [FR-984]", async () => {
  await resolveWith(() => {});
  await resolveWith(({ dirPath }, files) => {
    Deno.writeTextFileSync(`${dirPath}/käse`, "x");
    files.push({ "Encoded-Path": "6bc3a47365", Size: 1 });
  });
  await resolveWith((_, files) => {
    manifestText(files);
    return manifestText(files, ['"System-Identifier": 7300000000000000001,']);
  });
});

Deno.test("a file that is missing, too much, or of another length is named [FR-984]", async () => {
  await mustRefuse(({ dirPath }) => Deno.removeSync(`${dirPath}/base/5/1259`), /1259" is missing/);
  await mustRefuse(
    ({ dirPath }) => Deno.writeTextFileSync(`${dirPath}/more`, "x"),
    /"more" is not in it/,
  );
  await mustRefuse(
    ({ dirPath }) => Deno.truncateSync(`${dirPath}/base/5/1259`, 8192),
    /"base\/5\/1259" has 8192 bytes, not 40960/,
  );
  await mustRefuse(
    ({ topPath }) => Deno.truncateSync(`${topPath}/elsewhere/PG_17_202406281/5/16385`, 1),
    /"pg_tblspc\/16384\/PG_17_202406281\/5\/16385" has 1 bytes/,
  );
});

Deno.test("without its backup_label a base backup is refused: it would come up corrupt [FR-984]", async () => {
  await mustRefuse(
    ({ dirPath }) => Deno.removeSync(`${dirPath}/backup_label`),
    /"backup_label" is missing/,
  );
});

Deno.test("a manifest that is torn, changed, or of another cluster is refused [FR-984]", async () => {
  await mustRefuse(() => "{", /cannot be read/);
  await mustRefuse(
    (_, files) => manifestText(files).replace("8192", "8193"),
    /checksum is another/,
  );
  await mustRefuse(
    (_, files) => manifestText(files, ['"System-Identifier": 7300000000000000002,']),
    /of the cluster 7300000000000000002, pg_control of 7300000000000000001/,
  );
});

Deno.test("all WAL that the manifest says is needed must be there [FR-984]", async () => {
  await assert.rejects(
    resolveWith(({ dirPath }) => Deno.removeSync(`${dirPath}/pg_wal/000000010000000000000003`)),
    { code: "WalMissing", message: /segment 000000010000000000000003/ },
  );
});

Deno.test("once a server has run there, the manifest says nothing any more [FR-984]", async () => {
  const { notes } = await resolveWith(({ dirPath }) => {
    Deno.renameSync(`${dirPath}/backup_label`, `${dirPath}/backup_label.old`);
    Deno.writeTextFileSync(`${dirPath}/more`, "x");
  });
  assert.match(notes.join(), /was not looked at: a server has run/);
});
