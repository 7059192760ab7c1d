import assert from "node:assert/strict";
import { PbkfsError } from "../errors.ts";
import {
  findInstallation,
  majorVersionOf,
  parseMajorVersion,
  tryFindInstallation,
} from "./installation.ts";
import { TempDir } from "../tests/support/temp_dir.ts";

Deno.test("a version is found in the directory that PBKFS_PGBIN_<version> names [FR-201]", async () => {
  await using dir = TempDir.make();
  const program = `${dir.path}/postgres`;
  Deno.writeTextFileSync(program, "#!/bin/sh\necho 'postgres (PostgreSQL) 99.3 (Fake)'\n");
  Deno.chmodSync(program, 0o755);
  Deno.env.set("PBKFS_PGBIN_99", dir.path);
  try {
    assert.deepEqual(findInstallation(99), { majorVersion: 99, binDir: dir.path });
  } finally {
    Deno.env.delete("PBKFS_PGBIN_99");
  }
});

Deno.test("a directory whose server is of another version is passed over [FR-201]", async () => {
  await using dir = TempDir.make();
  const program = `${dir.path}/postgres`;
  Deno.writeTextFileSync(program, "#!/bin/sh\necho 'postgres (PostgreSQL) 98.1'\n");
  Deno.chmodSync(program, 0o755);
  Deno.env.set("PBKFS_PGBIN_99", dir.path);
  try {
    assert.equal(tryFindInstallation(99), undefined);
  } finally {
    Deno.env.delete("PBKFS_PGBIN_99");
  }
});

Deno.test("a version that is not installed is an error that says how to name it [FR-201]", () => {
  assert.throws(() => findInstallation(99), (error) => {
    assert(error instanceof PbkfsError);
    assert.equal(error.code, "PostgresFailed");
    assert.match(error.message, /PostgreSQL 99 is not installed/);
    assert.match(error.todo, /PBKFS_PGBIN_99/);
    return true;
  });
});

Deno.test("the version of a data directory is what its PG_VERSION says [FR-202]", async () => {
  await using dir = TempDir.make();
  Deno.writeTextFileSync(`${dir.path}/PG_VERSION`, "15\n");
  assert.equal(majorVersionOf(dir.path), 15);
});

Deno.test("a directory without PG_VERSION, or with another text in it, is refused [FR-202]", async () => {
  await using dir = TempDir.make();
  assert.throws(() => majorVersionOf(dir.path), /not a PostgreSQL data directory/);
  Deno.writeTextFileSync(`${dir.path}/PG_VERSION`, "fifteen\n");
  assert.throws(() => majorVersionOf(dir.path), /says "fifteen"/);
});

Deno.test("a version has one part from 10 on, and two before [FR-202]", () => {
  const cases: [string, number | undefined][] = [
    ["15", 15],
    ["15.4", 15],
    ["17beta1", 17],
    ["9.6", 9.6],
    ["9.6.24", 9.6],
    ["", undefined],
    ["x15", undefined],
  ];
  for (const [text, version] of cases) assert.equal(parseMajorVersion(text), version, text);
});
