import assert from "node:assert/strict";
import { cloneHazards, parseConfig } from "./clone_hazards.ts";

Deno.test("FR-212 a data_directory in the backup's configuration is pointed out", () => {
  const [hazard] = cloneHazards("port = 5432\ndata_directory = '/var/lib/postgresql/15/main'\n");
  assert.equal(hazard?.setting, "data_directory");
  assert.match(hazard?.warning ?? "", /\/var\/lib\/postgresql\/15\/main/);
});

Deno.test("FR-212 a preloaded library that talks to other servers is pointed out, others are not", () => {
  assert.deepEqual(cloneHazards("shared_preload_libraries = 'pg_stat_statements'"), []);
  const hazards = cloneHazards("shared_preload_libraries = 'pg_stat_statements, pglogical'");
  assert.match(hazards[0]?.warning ?? "", /preloads pglogical/);
});

Deno.test("FR-212 an ordinary configuration has no hazards", () => {
  assert.deepEqual(
    cloneHazards("#data_directory = 'ConfigDir'\nmax_connections = 100 # few\n"),
    [],
  );
});

Deno.test("parseConfig reads what PostgreSQL reads: quotes, comments, no equals sign, last wins", () => {
  const text = [
    "plain = 1 # comment",
    "Upper='x'",
    "no_equals 'y'",
    "quote = 'it''s \\'so\\''",
    "plain = 2",
    "# not = this",
    "empty = ''",
    "cron.jobs = off",
  ].join("\n");
  assert.deepEqual(Object.fromEntries(parseConfig(text)), {
    plain: "2",
    upper: "x",
    no_equals: "y",
    quote: "it's 'so'",
    empty: "",
    "cron.jobs": "off",
  });
});
