import assert from "node:assert/strict";
import { TraceLines } from "./trace_lines.ts";

function traced(): { readonly trace: TraceLines; readonly lines: string[] } {
  const lines: string[] = [];
  return { trace: new TraceLines((line) => lines.push(line)), lines };
}

Deno.test("an answer from another thread gets its request's number [FR-758]", () => {
  const { trace, lines } = traced();
  trace.tell({ line: "81 fsync inode=12" });
  trace.tell({ handedOver: 81, request: 4096 });
  trace.tell({ replied: 4096, errno: 0 });
  trace.tell({ handedOver: 83, request: 4096 });
  trace.tell({ replied: 4096, errno: 28 });
  assert.deepEqual(lines, ["81 fsync inode=12", "81 ok", "83 failed ENOSPC"]);
});

Deno.test("an answer that overtakes the word of its request waits for it [FR-758]", () => {
  const { trace, lines } = traced();
  trace.tell({ replied: 4096, errno: 0, sizeBytes: 8192 });
  assert.deepEqual(lines, []);
  trace.tell({ handedOver: 81, request: 4096 });
  assert.deepEqual(lines, ["81 ok 8192"]);
});

Deno.test("a place in memory that is used again does not lose an answer [FR-758]", () => {
  const { trace, lines } = traced();
  trace.tell({ handedOver: 81, request: 4096 });
  trace.tell({ handedOver: 83, request: 4096 });
  trace.tell({ replied: 4096, errno: 0 });
  trace.tell({ replied: 4096, errno: 0 });
  assert.deepEqual(lines, ["81 ok", "83 ok"]);
});
