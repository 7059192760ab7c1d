/**
 * What a figure was measured on. It stands beside every table.
 *
 * @module
 */

import { libfuse, libfuseVersion } from "../../ffi/libfuse.ts";

/** What a reader has to know to make sense of a figure. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGib: number;
  readonly kernel: string;
  readonly deno: string;
  readonly libfuse: string;
  readonly commit: string;
  readonly date: string;
}

/** This machine, and the commit of this checkout. */
export function describeMachine(): Machine {
  const cpuInfo = Deno.readTextFileSync("/proc/cpuinfo");
  return {
    cpu: /^model name\s*:\s*(.*)$/m.exec(cpuInfo)?.[1] ?? Deno.build.arch,
    cores: navigator.hardwareConcurrency,
    memoryGib: Math.round(Deno.systemMemoryInfo().total / 2 ** 30),
    kernel: Deno.osRelease(),
    deno: Deno.version.deno,
    libfuse: libfuseVersion(libfuse()),
    commit: commit(),
    date: new Date().toISOString(),
  };
}

function commit(): string {
  const git = (...args: string[]) => {
    const cwd = new URL("../..", import.meta.url).pathname;
    const { success, stdout } = new Deno.Command("git", { args, cwd, stderr: "null" }).outputSync();
    return success ? new TextDecoder().decode(stdout).trim() : undefined;
  };
  const id = git("rev-parse", "--short", "HEAD");
  if (id === undefined) return "unknown";
  return git("status", "--porcelain") === "" ? id : `${id} with changes`;
}
