/**
 * Something of root's that an owner would like to have.
 *
 * @module
 */

import assert from "node:assert/strict";
import { fuseMounts } from "../support/mounts.ts";
import { TempDir } from "../support/temp_dir.ts";

const SECRET = "root's own ".repeat(1000);

/** A directory that only root can list, in one that all can pass through, with a file in it. */
export class Rooted implements AsyncDisposable {
  readonly #dir = TempDir.make();
  readonly dirPath = `${this.#dir.path}/root`;
  readonly filePath = `${this.dirPath}/secret`;

  constructor() {
    Deno.mkdirSync(this.dirPath, { mode: 0o755 });
    Deno.writeTextFileSync(this.filePath, SECRET, { mode: 0o600 });
  }

  mustBeAsItWas(): void {
    assert.equal(Deno.readTextFileSync(this.filePath), SECRET);
    const { uid, mode } = Deno.lstatSync(this.filePath);
    assert.deepEqual([uid, (mode ?? 0) & 0o7777], [0, 0o600]);
    const directory = Deno.lstatSync(this.dirPath);
    assert.deepEqual([directory.uid, (directory.mode ?? 0) & 0o7777], [0, 0o755]);
    assert.deepEqual([...Deno.readDirSync(this.dirPath)].map(({ name }) => name), ["secret"]);
    assert.deepEqual(fuseMounts(this.#dir.path), []);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#dir[Symbol.asyncDispose]();
  }
}
