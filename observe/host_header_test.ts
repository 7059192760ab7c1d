import assert from "node:assert/strict";
import { mayAsk } from "./host_header.ts";

Deno.test("metrics are served by address and by our own names, to no other Host [FR-835]", () => {
  const good = ["127.0.0.1", "127.0.0.1:9187", "[::1]:9187", "10.1.2.3", "localhost:9187"];
  for (const header of [...good, "LocalHost.", "db1:9187", "metrics.example.org", undefined]) {
    assert(mayAsk(header, "metrics.example.org", "db1"), header);
  }
  const bad = ["evil.example.org", "localhost.evil.org", "127.0.0.1.evil.org:9187", "db1.evil.org"];
  for (const header of [...bad, "", "a b", "[::1", "::1:9187", "[evil.org]"]) {
    assert(!mayAsk(header, "127.0.0.1", "db1"), header);
  }
});
