import assert from "node:assert/strict";
import { GenerationRecord, readGeneration } from "./generation_record.ts";

Deno.test("a record tells the last generation, and the one before if its last write tore [FR-875]", () => {
  const dirPath = Deno.makeTempDirSync({ prefix: "pbkfs-test-" });
  try {
    const path = `${dirPath}/record`;
    assert.equal(readGeneration(path), undefined);
    const record = new GenerationRecord(path);
    for (const generation of [1, 2, 3, 2 ** 40]) {
      record.write(generation);
      assert.equal(readGeneration(path), generation);
    }
    record.close();
    const bytes = Deno.readFileSync(path);
    assert.equal(bytes.length, 1024);
    // Even numbers are in the first slot.
    for (const at of [20, 30, 45]) {
      Deno.writeFileSync(path, bytes.with(at, bytes[at]! ^ 1));
      assert.equal(readGeneration(path), 3, `byte ${at}`);
    }
    Deno.writeFileSync(path, bytes.map((byte, at) => at % 512 === 20 ? byte ^ 1 : byte));
    assert.equal(readGeneration(path), undefined);
    for (const sizeBytes of [0, 30, 512 + 30]) {
      Deno.writeFileSync(path, bytes.subarray(0, sizeBytes));
      assert.equal(
        readGeneration(path),
        sizeBytes > 512 ? 2 ** 40 : undefined,
        `${sizeBytes} bytes`,
      );
    }
  } finally {
    Deno.removeSync(dirPath, { recursive: true });
  }
});
