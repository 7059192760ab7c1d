import assert from "node:assert/strict";
import { systemLibc } from "../../ffi/libc.ts";
import { MemoryStore } from "../store/memory_store.ts";
import { StoredState } from "../store/stored_state.ts";
import { checkDataFiles } from "./data_check.ts";

Deno.test("strays that cannot be moved stay, and their numbers are not used again [FR-876]", () => {
  const dirPath = Deno.makeTempDirSync({ prefix: "pbkfs-test-" });
  try {
    const dataDirectory = `${dirPath}/data`;
    const lostDirectory = `${dirPath}/lost+found`;
    const name = "00000000000000a0";
    Deno.mkdirSync(dataDirectory);
    Deno.writeTextFileSync(`${dataDirectory}/${name}`, "precious");
    Deno.writeTextFileSync(`${dataDirectory}/spare.3`, "");
    Deno.writeTextFileSync(lostDirectory, "in the way");
    const check = () =>
      checkDataFiles({
        ...{ libc: systemLibc(), dataDirectory, lostDirectory },
        ...{ state: new StoredState(new MemoryStore().loadPacked()), pathOf: () => "" },
      });
    const { strays, nextDataId } = check();
    assert.deepEqual([strays.count, strays.left, nextDataId], [1, 1, 0xa1]);
    assert(strays.reason !== undefined);
    assert.deepEqual([...Deno.readDirSync(dataDirectory)].map((entry) => entry.name), [name]);
    Deno.removeSync(lostDirectory);
    assert.equal(check().strays.left, 0);
    assert.equal(Deno.readTextFileSync(`${lostDirectory}/${name}`), "precious");
  } finally {
    Deno.removeSync(dirPath, { recursive: true });
  }
});
