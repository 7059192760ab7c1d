import { unpackFixture } from "../../tests/support/fixtures.ts";
import { snapshot } from "../../tests/support/snapshot.ts";
import { testSource } from "../../testing/backup/source_suite.ts";
import { PG_PROBACKUP } from "./source.ts";

testSource("pg_probackup [FR-981]", async () => {
  const fixture = await unpackFixture("mixed-compression");
  const { catalogPath, instancePath } = fixture;
  const control = `${instancePath}/TOTLB5/backup.control`;
  const wanted = { catalogPath, backupId: "TOTLB5", useProbackup: false };
  return {
    backup: await PG_PROBACKUP.resolve(wanted),
    storePath: catalogPath,
    look: () => snapshot(catalogPath),
    spoil() {
      const text = Deno.readTextFileSync(control);
      Deno.writeTextFileSync(control, text.replace(/^status = .*/m, "status = MERGING"));
    },
    [Symbol.asyncDispose]: () => fixture[Symbol.asyncDispose](),
  };
});
