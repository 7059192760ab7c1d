import assert from "node:assert/strict";
import { PbkfsError } from "../errors.ts";
import { parseMetricsAddress } from "./metrics.ts";
import { prometheusText } from "./prometheus_text.ts";

Deno.test("an address without a host is of this machine only [FR-760]", () => {
  assert.deepEqual(parseMetricsAddress("9187"), { hostname: "127.0.0.1", port: 9187 });
  assert.deepEqual(parseMetricsAddress("0.0.0.0:80"), { hostname: "0.0.0.0", port: 80 });
  assert.deepEqual(parseMetricsAddress("[::1]:9187"), { hostname: "::1", port: 9187 });
  for (const wrong of ["", "host", ":9187", "1.2.3.4:", "::1:9187", "host:99999", "host:1:2"]) {
    assert.throws(() => parseMetricsAddress(wrong), PbkfsError, wrong);
  }
});

Deno.test("what is not plain in a label is escaped [FR-760]", () => {
  const text = prometheusText([{
    name: "pbkfs_x",
    type: "gauge",
    help: "A \\ and\na line.",
    samples: [{ labels: { path: 'a"b\\c\nd', kind: "x" }, value: 0.5 }, {
      suffix: "_sum",
      value: 1,
    }],
  }]);
  assert.equal(
    text,
    "# HELP pbkfs_x A \\\\ and\\na line.\n# TYPE pbkfs_x gauge\n" +
      'pbkfs_x{path="a\\"b\\\\c\\nd",kind="x"} 0.5\npbkfs_x_sum 1\n',
  );
});
