import { testMetadataStore } from "../../testing/overlay/metadata_store_suite.ts";
import { MemoryStore } from "./memory_store.ts";
import { promised } from "./metadata_store.ts";

const stores = new Map<string, MemoryStore>();

testMetadataStore("MemoryStore [FR-401]", (dirPath) => {
  const store = stores.get(dirPath) ?? new MemoryStore();
  stores.set(dirPath, store);
  return promised(store);
});
