import { testMetadataStore } from "../testing/overlay/metadata_store_suite.ts";
import { MemoryStore } from "./memory_store.ts";
import { promised } from "./metadata_store.ts";

const stores = new Map<string, MemoryStore>();

testMetadataStore("FR-401 MemoryStore", (dirPath) => {
  const store = stores.get(dirPath) ?? new MemoryStore();
  stores.set(dirPath, store);
  return promised(store);
});
