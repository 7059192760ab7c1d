/** `pbkfs doctor`: what would keep a mount from working. */

import assert from "node:assert/strict";
import { type Code, CODES } from "../errors.ts";
import { runCli } from "./support/cli.ts";
import { unpackFixture } from "./support/fixtures.ts";
import { parseDocument } from "./support/schema.ts";
import { mountObstacle, testUnless } from "./support/skip.ts";
import { TempDir } from "./support/temp_dir.ts";
import { isRoot, ordinaryUser } from "./support/users.ts";

/** One thing that was looked at. */
interface Found {
  readonly id: string;
  readonly level: string;
  readonly todo: string;
  readonly code?: string;
}

async function examined(args: readonly string[], env: Record<string, string> = {}) {
  const { code, stdout, stderr } = await runCli(["doctor", "--json", ...args], { env });
  assert.equal(stderr, "");
  const document = parseDocument("doctor", stdout);
  assert.equal(document.exitStatus, code);
  const findings: Found[] = document.findings;
  return { code, level: document.level, findings: new Map(findings.map((one) => [one.id, one])) };
}

testUnless(
  mountObstacle(),
  "doctor finds a machine well on which mounts work [FR-754]",
  async () => {
    const { code, findings } = await examined([]);
    assert.equal(code, 0);
    for (const id of ["kernel", "fuse-device", "libfuse", "mount-permission", "codecs"]) {
      assert.notEqual(findings.get(id)?.level, "error", id);
    }
  },
);

testUnless(
  mountObstacle(),
  "doctor looks at catalog, diff and mount directory, and changes nothing [FR-754]",
  async () => {
    await using fixture = await unpackFixture("zlib-chain");
    const mountDir = `${fixture.dirPath}/mount`;
    Deno.mkdirSync(mountDir);
    const before = names(fixture.dirPath);
    const args = ["-B", fixture.catalogPath, "-d", `${fixture.dirPath}/diff`, "-D", mountDir];
    const { code, findings } = await examined(args);
    assert.equal(code, 0);
    for (const id of ["catalog", "diff", "free-space", "mount-directory"]) {
      assert.notEqual(findings.get(id)?.level ?? "absent", "error", id);
      assert(findings.has(id), id);
    }
    assert.deepEqual(names(fixture.dirPath), before);
  },
);

const FAULTS: readonly {
  readonly title: string;
  readonly args?: (dirPath: string) => string[];
  readonly env?: Record<string, string>;
  readonly id: string;
  readonly code: Code;
}[] = [
  {
    title: "a missing device",
    env: { PBKFS_FUSE_DEVICE: "/nowhere/fuse" },
    id: "fuse-device",
    code: "FuseDeviceMissing",
  },
  {
    title: "a missing library",
    env: { PBKFS_LIBFUSE: "/nowhere/libfuse3.so" },
    id: "libfuse",
    code: "LibraryMissing",
  },
  {
    title: "a missing catalog",
    args: (dir) => ["-B", `${dir}/nowhere`],
    id: "catalog",
    code: "CatalogMissing",
  },
  {
    title: "a mount directory in use",
    args: (dir) => ["-D", dir],
    id: "mount-directory",
    code: "MountDirNotEmpty",
  },
  {
    title: "a diff that is none",
    args: (dir) => ["-d", `${dir}/diff`],
    id: "diff",
    code: "DiffDamaged",
  },
  {
    title: "a program that does not run",
    args: () => ["--pg-probackup", "/nowhere/pg_probackup"],
    id: "pg-probackup",
    code: "ProbackupFailed",
  },
];

for (const { title, args, env, id, code } of FAULTS) {
  testUnless(
    mountObstacle(),
    `doctor tells of ${title}, and ends as a mount would: ${code} [FR-754]`,
    async () => {
      await using dir = TempDir.make();
      Deno.mkdirSync(`${dir.path}/diff`);
      Deno.writeTextFileSync(`${dir.path}/diff/.pbkfs-binding.json`, "{");
      const found = await examined(args?.(dir.path) ?? [], env);
      assert.equal(found.code, CODES[code].exitCode);
      assert.equal(found.level, "error");
      assert.equal(found.findings.get(id)?.code, code);
      assert.notEqual(found.findings.get(id)?.todo, "", "it says what to do");
    },
  );
}

testUnless(
  mountObstacle() ?? (isRoot() ? undefined : "only root may become another user"),
  "doctor tells an ordinary user what to do about directories that are not his [FR-754]",
  async () => {
    await using dir = TempDir.make();
    const options = { user: ordinaryUser() };
    const { code, stdout } = await runCli(["doctor", "-d", `${dir.path}/diff`], options);
    assert.equal(code, CODES.PermissionDenied.exitCode, stdout);
    assert.match(stdout, /^error +diff .*cannot be written/m);
    assert.match(stdout, /^ +-> Give a directory that you may write to/m);
  },
);

function names(dirPath: string): string[] {
  return [...Deno.readDirSync(dirPath)].map(({ name }) => name).sort();
}
