import assert from "node:assert/strict";
import { testUnless } from "../../tests/support/skip.ts";
import { TempDir } from "../../tests/support/temp_dir.ts";
import { isRoot, ordinaryUser } from "../../tests/support/users.ts";
import { handDirectory } from "../../testing/backup/hand_directory.ts";
import { DIRECTORY } from "./source.ts";

const obstacle = isRoot() ? undefined : "only root can be misled";
const REFUSED = { code: "PermissionDenied" };

testUnless(
  obstacle,
  "root's data directory is refused where somebody else could replace it [FR-989]",
  async () => {
    await using sample = handDirectory();
    const backup = await DIRECTORY.resolve({ dirPath: sample.dirPath });
    DIRECTORY.mustBeRootsAlone(backup);
    const { uid, gid } = ordinaryUser();
    Deno.chownSync(sample.topPath, uid, gid);
    const message = new RegExp(`it lies in "${sample.topPath}", which belongs to user ${uid}`);
    assert.throws(() => DIRECTORY.mustBeRootsAlone(backup), { ...REFUSED, message });
    Deno.chownSync(sample.topPath, 0, 0);
    Deno.chmodSync(sample.topPath, 0o775);
    assert.throws(() => DIRECTORY.mustBeRootsAlone(backup), { ...REFUSED, message: /may write/ });
    Deno.chmodSync(sample.topPath, 0o1777);
    DIRECTORY.mustBeRootsAlone(backup);
  },
);

testUnless(
  obstacle,
  "root is led to a data directory by links of root's, or of its owner's, only [FR-989]",
  async () => {
    await using sample = handDirectory();
    await using dir = TempDir.make();
    const link = `${dir.path}/link`;
    Deno.symlinkSync(sample.dirPath, link);
    const { identity } = await DIRECTORY.resolve({ dirPath: link });
    assert.equal(identity.catalogPath, sample.dirPath);
    const { uid, gid } = ordinaryUser();
    await new Deno.Command("chown", { args: ["-h", `${uid}:${gid}`, link] }).output();
    await assert.rejects(DIRECTORY.resolve({ dirPath: link }), REFUSED);
  },
);
