/**
 * Puts the faults that are planned into the thread that imports this, before it begins to serve.
 *
 * @module
 */

import { Faults, parseFaults } from "./faulty_libc.ts";
import { interceptLibc } from "../../ffi/serving_libc.ts";
import { SqliteStore } from "../../overlay/mod.ts";
import { FAULTS_VARIABLE } from "./faults_variable.ts";

const rules = parseFaults(Deno.env.get(FAULTS_VARIABLE) ?? "");
// Each user of the library counts its own calls.
interceptLibc((libc) => new Faults(rules).libc(libc));
new Faults(rules).stores(SqliteStore);
