import assert from "node:assert/strict";
import { Rarely } from "./rarely.ts";

const SURVIVE = new URL("./survive.ts", import.meta.url).href;

Deno.test("what nobody has handled is logged, and does not end the process [FR-834]", async () => {
  const script = `
    import { surviveErrors } from "${SURVIVE}";
    const lines = [];
    surviveErrors({ error: (what, error, facts) => lines.push([what, String(error), facts]) });
    for (let at = 0; at < 30; at++) Promise.reject(new Error("rejection " + at));
    setTimeout(() => { throw new Error("thrown"); }, 0);
    setTimeout(() => console.log(JSON.stringify(lines)), 50);
  `;
  const { code, stdout } = await new Deno.Command(Deno.execPath(), { args: ["eval", script] })
    .output();
  assert.equal(code, 0);
  const lines = JSON.parse(new TextDecoder().decode(stdout));
  assert.equal(lines.length, 10);
  assert.match(lines[0][1], /rejection 0/);
});

Deno.test("of many complaints ten a minute are let through, and the others counted [FR-834]", () => {
  let now = 0;
  const told: number[] = [];
  const rarely = new Rarely(() => now);
  const call = (times: number) => {
    for (let at = 0; at < times; at++) rarely.call((leftOut) => told.push(leftOut));
  };
  call(25);
  assert.deepEqual(told, new Array(10).fill(0));
  now = 59_999;
  call(1);
  assert.equal(told.length, 10);
  now = 60_000;
  call(2);
  assert.deepEqual(told.slice(10), [16, 0]);
});
