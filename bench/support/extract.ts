/**
 * Writes all files of a chain into a directory: what a restore must at least do.
 *
 * @module
 */

import { type Base, type ChainSpec, loadCodecs, openChain } from "../../backup/mod.ts";
import { byteStringOf, printable } from "../../ffi/bytes.ts";
import { cloneSettings, type Identity } from "../../postgres/mod.ts";
import { giveTo } from "../../tests/support/temp_dir.ts";

/** Plain data: it crosses to the threads. */
export interface ExtractJob {
  readonly spec: ChainSpec;
  readonly targetDir: string;
  readonly settings: readonly string[];
  /** One number: how many parts have been taken. */
  readonly taken: SharedArrayBuffer;
}

/** A part of a file. */
export interface ExtractPart {
  readonly entry: number;
  readonly offsetBytes: number;
  readonly sizeBytes: number;
}

const PART_BYTES = 32 * 1024 * 1024;

/** Where to, and for whom. */
export interface ExtractOptions {
  readonly spec: ChainSpec;
  /** Made here. */
  readonly targetDir: string;
  readonly owner: Identity | undefined;
  /** Whether all must be on disk at the end, as after a restore. */
  readonly sync: boolean;
  /** One for each core if left out. */
  readonly threads?: number;
}

/** The chain as a tree whose tablespaces are in the directory itself. */
export async function openForExtract(job: Omit<ExtractJob, "taken">): Promise<Base> {
  const mountPath = byteStringOf(job.targetDir);
  const layout = { mountPath, restoredAt: Date.now(), settings: job.settings };
  return await openChain(job.spec, { layout, codecs: await loadCodecs() });
}

/** All files, the large ones in parts. The same in each thread. */
export function partsOf(base: Base): ExtractPart[] {
  return base.entries.flatMap(({ kind }, entry) => {
    if (kind !== "file") return [];
    const sizeBytes = base.sizeBytes(entry as Parameters<Base["sizeBytes"]>[0]);
    const count = Math.max(1, Math.ceil(sizeBytes / PART_BYTES));
    return Array.from({ length: count }, (_, part) => ({
      entry,
      offsetBytes: part * PART_BYTES,
      sizeBytes: Math.min(PART_BYTES, sizeBytes - part * PART_BYTES),
    }));
  });
}

/** Extracts a chain, with as many threads as there are cores. */
export async function extract(options: ExtractOptions): Promise<void> {
  const { spec, targetDir, owner, threads = navigator.hardwareConcurrency } = options;
  const settings = cloneSettings(Number.parseFloat(spec.members.at(-1)!.serverVersion));
  const job = { spec, targetDir, settings, taken: new SharedArrayBuffer(4) };
  const base = await openForExtract(job);
  Deno.mkdirSync(targetDir, { mode: 0o700 });
  for (const { kind, path, mode, target } of base.entries) {
    const place = `${targetDir}/${printable(path)}`;
    if (kind === "directory") Deno.mkdirSync(place, { mode });
    if (kind === "symlink") Deno.symlinkSync(printable(target!), place);
  }
  base.close();
  await Promise.all(Array.from({ length: threads }, () => runWorker(job)));
  if (owner !== undefined) await giveTo(owner, targetDir);
  if (options.sync) {
    const { success } = await new Deno.Command("sync", { args: ["-f", targetDir] }).output();
    if (!success) throw new Error(`Cannot sync ${targetDir}`);
  }
}

function runWorker(job: ExtractJob): Promise<void> {
  const url = new URL("./extract_worker.ts", import.meta.url).href;
  const worker = new Worker(url, { type: "module" });
  return new Promise<void>((resolve, reject) => {
    worker.onmessage = ({ data }: MessageEvent<{ readonly error?: string }>) => {
      if (data.error === undefined) resolve();
      else reject(new Error(data.error));
    };
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(event.message));
    };
    worker.postMessage(job);
  }).finally(() => worker.terminate());
}
