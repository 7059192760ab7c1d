import assert from "node:assert/strict";
import fc from "fast-check";
import { bytesOf, type ByteString } from "../../ffi/bytes.ts";
import { pathOrder } from "./path_order.ts";

/** The paths, one beside the other in memory. */
function slices(paths: readonly string[]) {
  const starts = new Uint32Array(paths.length);
  const lengths = Uint16Array.from(paths, (path) => path.length);
  for (let at = 1; at < paths.length; at++) starts[at] = starts[at - 1]! + lengths[at - 1]!;
  return { count: paths.length, bytes: bytesOf(paths.join("") as ByteString), starts, lengths };
}

function expected(paths: readonly string[]): number[] {
  return paths.map((_, index) => index)
    .sort((a, b) => paths[a]! < paths[b]! ? -1 : paths[a]! > paths[b]! ? 1 : a - b);
}

Deno.test("paths are sorted bytewise, and the same ones stay in their order [FR-150]", () => {
  const part = fc.string({ unit: fc.constantFrom("a", "b", "-", "1", "\u00ff", "\u0001") });
  const path = fc.array(part, { maxLength: 4 }).map((parts) => parts.join("/"));
  fc.assert(fc.property(fc.array(path, { maxLength: 300, size: "max" }), (paths) => {
    assert.deepEqual([...pathOrder(slices(paths))], expected(paths));
  }));
});

Deno.test("paths are sorted however long, many, or alike they are [FR-150]", () => {
  const lists = [
    Array.from({ length: 20_000 }, (_, n) => `base/16384/${(n * 7919) % 20_000}`),
    Array.from({ length: 20_000 }, (_, n) => `base/${20_000 - n}`),
    Array.from({ length: 3000 }, (_, n) => "a".repeat(n % 1500)),
    Array.from({ length: 3000 }, (_, n) => `${"a".repeat(n % 1500)}b`),
    new Array(3000).fill("same"),
  ];
  for (const paths of lists) assert.deepEqual([...pathOrder(slices(paths))], expected(paths));
});
