import assert from "node:assert/strict";
import { stacksOf } from "./cli/output.ts";
import { PbkfsError, toPbkfsError } from "./errors.ts";

Deno.test("a failure while cleaning up after a failure is told, and hides nothing [FR-905]", async () => {
  const suppressed = await Promise.resolve().then(() => {
    using _one = { [Symbol.dispose]: raise("unmounting failed") };
    using _two = { [Symbol.dispose]: raise("the lock was lost") };
    throw new PbkfsError("DiffInUse", { what: "The diff is in use", todo: "Wait." });
  }).catch((error) => error);
  assert(suppressed instanceof SuppressedError);
  const { code, message, todo } = toPbkfsError(suppressed);
  assert.equal(code, "DiffInUse", "the first failure");
  assert.match(message, /^The diff is in use\. .*the lock was lost\. .*unmounting failed$/);
  assert.match(todo, /^Wait\. Run the command again/);
  const { what, causes } = toPbkfsError(suppressed).toJSON();
  assert.equal(what, message, "from the daemon as well");
  assert(Array.isArray(causes));
  const stacks = stacksOf(new Error("outside", { cause: suppressed }));
  assert.match(
    stacks,
    /outside(.*\n)+Caused by: .*diff is in use(.*\n)+.*lock was lost(.*\n)+.*unmount/,
  );
});

function raise(text: string): () => void {
  return () => {
    throw new Error(text);
  };
}
