/**
 * What is explored: threads that run code of ours on memory that they share.
 *
 * @module
 */

/** Gives a module of the project, such as `overlay/read/read_queue.ts`, or what stands in its place. */
export type Modules = <T>(path: string) => Promise<T>;

/** Keeps something that a thread has seen, for the check. Plain data. */
export type Note = (fact: unknown) => void;

/** Threads, and what must hold after each of their interleavings. */
export interface Scenario {
  /** New memory for one exploration. It is as here at the beginning of every schedule. */
  memory(): Record<string, unknown>;
  readonly threads: readonly ((
    memory: Record<string, unknown>,
    note: Note,
  ) => void | Promise<void>)[];
  /** Whether plain accesses are steps; else they must be in order, as in a program without races. */
  readonly plainSteps?: boolean;
  /** All threads may be left waiting; then nothing is checked. */
  readonly mayDeadlock?: boolean;
  /** Throws if what the threads have noted, or left in the memory, is wrong. */
  check(notes: readonly unknown[][], memory: Record<string, unknown>): void;
}

/** What a scenario's file exports. */
export type ScenarioMaker = (modules: Modules, parameters?: unknown) => Promise<Scenario>;

/** The shared buffers in a memory, however deep, in a fixed sequence, with their names. */
export function buffersIn(
  memory: unknown,
  name = "",
): { readonly name: string; readonly buffer: SharedArrayBuffer }[] {
  if (memory instanceof SharedArrayBuffer) return [{ name, buffer: memory }];
  if (typeof memory !== "object" || memory === null) return [];
  return Object.entries(memory).flatMap(([key, value]) =>
    buffersIn(value, name === "" ? key : `${name}.${key}`)
  );
}

/** {@link Modules} of this checkout, some of them replaced by the module at another URL. */
export function modulesWith(replaced: Readonly<Record<string, string>>): Modules {
  const root = new URL("../../", import.meta.url);
  return <T>(path: string) => import(replaced[path] ?? new URL(path, root).href) as Promise<T>;
}
