import assert from "node:assert/strict";
import fc from "fast-check";
import { bytesOf, type ByteString } from "../../../ffi/bytes.ts";
import { backupIdOf, formatTime, parseTime } from "./control_time.ts";
import { controlKey, type ControlValues, parseControlFile } from "./control_file.ts";
import { formatLsn, type Lsn, parseLsn } from "../../tree/lsn.ts";
import { parseProgramVersion } from "./program_version.ts";

function parse(text: string): Record<string, string> {
  const values = parseControlFile(bytesOf(text as ByteString));
  assert(!("badLine" in values), JSON.stringify(values));
  return Object.fromEntries(values as ControlValues);
}

Deno.test("a control file: comments, blanks, quotes, keys written in several ways [FR-116]", () => {
  assert.deepEqual(parse("#Configuration\n\n  backup-mode = FULL\r\nstatus=OK"), {
    "backup-mode": "FULL",
    status: "OK",
  });
  assert.deepEqual(parse("primary_conninfo = 'a=b c'\nNote x = 1\nnote-X = 2"), {
    "primary-conninfo": "a=b c",
    "note-x": "2",
  });
  assert.deepEqual(parse("a = b c # d\nb = 'c # d' # e\nc = ''\nd ="), {
    a: "b c ",
    b: "c # d",
    c: "",
    d: "",
  });
});

Deno.test("quotes inside a quoted value: doubled, or as pg_probackup writes them [FR-116]", () => {
  assert.deepEqual(parse("a = 'it''s'\nb = 'it's'\nc = 'a'b'c'"), {
    a: "it's",
    b: "it's",
    c: "a'b'c",
  });
});

Deno.test("a line of another form is named [FR-116]", () => {
  for (const text of ["no sign", "= 3", "a = 'open", `a = ${"x".repeat(5000)}`]) {
    const result = parseControlFile(bytesOf(`ok = 1\n${text}\n` as ByteString));
    assert("badLine" in result && result.badLine === 2, text);
  }
});

Deno.test("any values survive writing and reading [FR-116]", () => {
  const key = fc.stringMatching(/^[a-z][a-z-]{0,20}$/);
  const value = fc.string({ unit: "binary-ascii", maxLength: 80 })
    .map((text) => text.replace(/[\n\r]/g, ""));
  fc.assert(fc.property(fc.dictionary(key, value), (values) => {
    const text = Object.entries(values).map(([name, value]) =>
      `${name} = '${value.replaceAll("'", "''")}'\n`
    ).join("");
    assert.deepEqual(parse(text), { ...values });
  }));
});

Deno.test("no bytes whatever confuse the reader [FR-116]", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
    parseControlFile(bytes);
  }));
  assert.equal(controlKey("Primary_Conn info"), "primary-conn-info");
});

Deno.test("times are read with offsets of hours and minutes, and written back [FR-117]", () => {
  const utc = Date.UTC(2026, 10, 20, 21, 34, 15);
  assert.equal(parseTime("2026-11-20 21:34:15+00"), utc);
  assert.equal(parseTime("2026-11-20 21:34:15"), utc);
  assert.equal(parseTime("2026-11-21 00:34:15+03"), utc);
  assert.equal(parseTime("2026-11-20 18:04:15-03:30"), utc);
  assert.equal(parseTime("2026-11-20"), undefined);
  assert.equal(parseTime("2026-13-20 21:34:15+00"), undefined);
  assert.equal(backupIdOf(utc), "TOTL93");
  const time = fc.integer({ min: 0, max: 4e9 }).map((seconds) => seconds * 1000);
  const offset = fc.integer({ min: -12 * 60, max: 14 * 60 });
  fc.assert(fc.property(time, offset, (time, offset) => {
    assert.equal(parseTime(formatTime(time, offset)), time);
  }));
});

Deno.test("places in the WAL and versions are read, or refused [FR-117]", () => {
  assert.equal(parseLsn("0/16B3748"), 0x16b3748n);
  assert.equal(parseLsn("A/ff"), 0xa000000ffn);
  for (const text of ["", "0", "0/", "/0", "0/123456789", "x/1", "0/1 "]) {
    assert.equal(parseLsn(text), undefined, text);
  }
  fc.assert(fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (lsn) => {
    assert.equal(parseLsn(formatLsn(lsn as Lsn)), lsn);
  }));
  assert.equal(parseProgramVersion("2.5.16"), 20516);
  assert.equal(parseProgramVersion(""), 0);
  for (const text of ["2.5", "2.5.16.1", "2.5.x", "2.100.1", " 2.5.1"]) {
    assert.equal(parseProgramVersion(text), undefined, text);
  }
});
