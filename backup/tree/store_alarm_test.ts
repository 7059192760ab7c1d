import assert from "node:assert/strict";
import { StoreAlarm } from "./store_alarm.ts";

Deno.test("an alarm tells its last text, also none and a long one, until it is off [FR-446]", () => {
  const here = new StoreAlarm();
  const there = new StoreAlarm(here.shared);
  there.check();
  const long = "x".repeat(5000);
  for (const text of ["one", "another", "", long, undefined, "again", undefined, undefined]) {
    here.set(text);
    if (text === undefined) there.check();
    else assert.throws(() => there.check(), told(text.slice(0, 2044)));
  }
  for (let count = 0; count < 2 ** 20; count++) here.set(undefined);
  here.set("after a million");
  assert.throws(() => there.check(), told("after a million"));
});

function told(text: string) {
  return { code: "StoreDamaged", message: `The backup has changed under the mount: ${text}` };
}
