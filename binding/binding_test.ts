import assert from "node:assert/strict";
import { PbkfsError } from "../errors.ts";
import {
  type Binding,
  type ChainIdentity,
  checkBinding,
  checkNames,
  parseBinding,
} from "./binding.ts";

const BINDING: Binding = {
  version: 2,
  kind: "pg_probackup",
  catalogPath: "/backup",
  instance: "main",
  backupId: "TOTL9E",
  chain: [{ id: "TOTL93", contentCrc: 11 }, { id: "TOTL9E", contentCrc: 22 }],
  systemIdentifier: "7300000000000000001",
  serverVersion: "15",
  mountPath: "/mnt/clone",
  wal: "outside",
  createdAt: 1_700_000_000_000,
  owner: { uid: 101, gid: 104 },
  settings: ["archive_mode = off"],
  madeBy: "pbkfs 0.1.0",
};

const ASKED: ChainIdentity = {
  kind: "pg_probackup",
  catalogPath: "/backup",
  instance: "main",
  systemIdentifier: "7300000000000000001",
  members: [{ id: "TOTL93", contentCrc: 11 }, { id: "TOTL9E", contentCrc: 22 }],
};

function refusal(asked: Partial<ChainIdentity>): string {
  try {
    checkBinding(BINDING, { ...ASKED, ...asked }, "/diff");
  } catch (error) {
    assert(error instanceof PbkfsError);
    assert.equal(error.code, "DiffForeign");
    return error.message;
  }
  throw new Error("it was not refused");
}

Deno.test("a binding is read as it was written [FR-701]", () => {
  assert.deepEqual(parseBinding(JSON.stringify(BINDING), "/diff/b"), BINDING);
});

Deno.test("what is no binding is called damaged, and names its file [FR-701]", () => {
  const texts = ["", "{", "null", "7", JSON.stringify({ ...BINDING, chain: "TOTL93" })];
  for (const text of texts) {
    const isTold = (error: PbkfsError) =>
      (error.code === "DiffDamaged" || error.code === "DiffVersion") &&
      /\/diff\/b/.test(error.message);
    assert.throws(() => parseBinding(text, "/diff/b"), isTold, text);
  }
});

Deno.test("a binding of a newer pbkfs is refused as such [FR-701]", () => {
  const text = JSON.stringify({ ...BINDING, version: 3 });
  assert.throws(() => parseBinding(text, "b"), { code: "DiffVersion" });
});

Deno.test("a binding that does not tell the kind of backup is of an older pbkfs, and refused [FR-982]", () => {
  const { kind: _, ...older } = BINDING;
  assert.throws(() => parseBinding(JSON.stringify({ ...older, version: 1 }), "/diff/b"), {
    code: "DiffVersion",
    message: '"/diff/b" has version 1; this pbkfs knows 2',
    todo: 'Mount it with the pbkfs that wrote it, or empty it: pbkfs cleanup -d "/diff"',
  });
  assert.throws(() => parseBinding(JSON.stringify(older), "/diff/b"), { code: "DiffDamaged" });
});

Deno.test("a diff of another kind of backup is refused, with both values [FR-982]", () => {
  assert.match(refusal({ kind: "directory" }), /of the kind pg_probackup, not directory/);
});

Deno.test("the same chain is accepted wherever its catalog lies [FR-702]", () => {
  checkBinding(BINDING, ASKED, "/diff");
  checkBinding(BINDING, { ...ASKED, catalogPath: "/elsewhere" }, "/diff");
  const { systemIdentifier: _, ...unknown } = ASKED;
  checkBinding(BINDING, unknown, "/diff");
});

Deno.test("another instance, backup, cluster or chain is refused, with both values [FR-702]", () => {
  assert.match(refusal({ instance: "other" }), /instance main, not other/);
  const longer = [...ASKED.members, { id: "TOTL9J", contentCrc: 33 }];
  assert.match(refusal({ members: longer }), /backup TOTL9E, not TOTL9J/);
  assert.match(refusal({ systemIdentifier: "7" }), /identifier 7300000000000000001, not 7/);
  const changed = [{ id: "TOTL93", contentCrc: 11 }, { id: "TOTL9E", contentCrc: 23 }];
  assert.match(refusal({ members: changed }), /TOTL9E\/22, not TOTL93\/11 TOTL9E\/23/);
  const merged = [{ id: "TOTL9E", contentCrc: 22 }];
  assert.match(refusal({ members: merged }), /TOTL93\/11 TOTL9E\/22, not TOTL9E\/22/);
});

Deno.test("names are checked before a catalog is looked at; latest is not a name [FR-702]", () => {
  for (const backupId of [undefined, "latest", "totl9e", "TOTL9E"]) {
    checkNames(BINDING, { backupId }, "/diff");
  }
  assert.throws(() => checkNames(BINDING, { backupId: "TOTL93" }, "/diff"), {
    code: "DiffForeign",
  });
  assert.throws(() => checkNames(BINDING, { instance: "x" }, "/diff"), { code: "DiffForeign" });
});
