import assert from "node:assert/strict";
import { descriptorBudget } from "./descriptor_budget.ts";

Deno.test("pools of open files share what the system grants, and leave some for the rest [FR-624]", () => {
  for (const granted of [100, 128, 256, 1024, 1 << 20]) {
    for (const threads of [2, 8]) {
      const { storedFiles, dataFiles } = descriptorBudget(granted, threads);
      assert(storedFiles >= 8 && storedFiles <= 256, `${storedFiles} of ${granted}`);
      assert(dataFiles >= 8 && dataFiles <= 512, `${dataFiles} of ${granted}`);
      const left = granted - storedFiles - dataFiles;
      assert(granted < 128 || threads > 2 || left >= 80, `${left} of ${granted} are left`);
    }
  }
  assert.deepEqual(descriptorBudget(1 << 20, 8), { storedFiles: 256, dataFiles: 512 });
});
