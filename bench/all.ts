/**
 * All scenarios, one after another, on the same catalogs.
 *
 * @module
 */

import { scenario as bulkWrites } from "./bulk_writes.ts";
import { scenario as createFiles } from "./create_files.ts";
import { scenario as diffSize } from "./diff_size.ts";
import { scenario as fileList } from "./file_list.ts";
import { scenario as firstQuery } from "./first_query.ts";
import { scenario as manyFiles } from "./many_files.ts";
import { scenario as manyMounts } from "./many_mounts.ts";
import { scenario as newFiles } from "./new_files.ts";
import { scenario as pauses } from "./pauses.ts";
import { scenario as pageIndex } from "./page_index.ts";
import { scenario as pgbench } from "./pgbench.ts";
import { scenario as randomRead } from "./random_read.ts";
import { scenario as requests } from "./requests.ts";
import { scenario as sequentialRead } from "./sequential_read.ts";
import { main, type Scenario } from "./support/scenario.ts";
import { scenario as syncLatency } from "./sync_latency.ts";

/** The quick ones first. */
export const SCENARIOS: readonly Scenario[] = [
  fileList,
  pageIndex,
  firstQuery,
  manyFiles,
  createFiles,
  newFiles,
  sequentialRead,
  randomRead,
  diffSize,
  pgbench,
  bulkWrites,
  manyMounts,
  syncLatency,
  requests,
  pauses,
];

if (import.meta.main) await main(SCENARIOS);
