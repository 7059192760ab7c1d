import assert from "node:assert/strict";
import fc from "fast-check";
import { parseConfig, parseConfigText, quoteConfigValue } from "./config_text.ts";

Deno.test("a configuration file is read as PostgreSQL does: quotes, escapes, comments, no equals sign [FR-213]", () => {
  const text = [
    "plain = 1 # comment",
    "Upper='x'",
    "no_equals 'y'",
    "data_directory'/x'",
    "quote = 'it''s \\'so\\''",
    "escapes = 'a\\tb\\101\\\\'",
    "plain = 2",
    "# not = this",
    "empty = ''",
    "cron.jobs = off",
    "number=-1.5e3",
    "unit 128MB",
    "path = /bin/true",
    "url = a-b.c:d/e",
    "carriage = 'return'\r",
    "hash = '# no comment'",
  ].join("\n");
  assert.deepEqual(Object.fromEntries(parseConfig(text)), {
    plain: "2",
    upper: "x",
    no_equals: "y",
    data_directory: "/x",
    quote: "it's 'so'",
    escapes: "a\tbA\\",
    empty: "",
    "cron.jobs": "off",
    number: "-1.5e3",
    unit: "128MB",
    url: "a-b.c:d/e",
    carriage: "return",
    hash: "# no comment",
  });
  assert.deepEqual(parseConfigText(text).wrongLines, [13], "a value does not begin with a slash");
});

Deno.test("lines that PostgreSQL refuses are told, and set nothing [FR-213]", () => {
  const wrong = [
    "a",
    "= 1",
    "a = ",
    "a = 1 2",
    "a = 'open",
    "1a = 1",
    "a.b.c = 1",
    "a = = 1",
    "a;b",
    "a b.c",
  ];
  for (const line of wrong) {
    assert.deepEqual(parseConfigText(`x = 1\n${line}\n`).wrongLines, [2], line);
  }
});

Deno.test("any text survives being quoted [FR-213]", () => {
  // A file holds UTF-8, and no NUL; a value does not begin in one line and end in the next.
  const text = fc.string({ unit: "grapheme" }).filter((each) => !/\0/.test(each));
  fc.assert(fc.property(text, (value) => {
    assert.equal(parseConfig(`a = ${quoteConfigValue(value)}`).get("a"), value);
  }));
});
