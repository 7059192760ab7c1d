/**
 * What the threads of one exploration share: whose turn it is, what each is about to do, and a log
 * of what was done. All cells are 32-bit; whoever has the turn may write them.
 *
 * @module
 */

/** The real ones: threads of an exploration replace what is global. */
const [Cells, Bytes] = [Int32Array, Uint8Array];

/** A step of a thread: an operation on shared memory. */
export const KINDS = [
  "load",
  "store",
  "update",
  "wait",
  "woken",
  "notify",
  "read",
  "write",
] as const;

/** `read` and `write` are plain accesses, `update` is any that reads and writes at once. */
export type Kind = typeof KINDS[number];

/** How a schedule ended. `redundant`: all that is left was seen in another one. */
export const ENDS = [
  "running",
  "done",
  "deadlock",
  "redundant",
  "endless",
  "astray",
  "thrown",
] as const;

/** See {@link ENDS}. */
export type End = typeof ENDS[number];

/** Threads of a scenario. */
export const THREADS_MAX = 6;
/** A schedule of more events is taken for endless. */
export const EVENTS_MAX = 1 << 15;
const NOTES_BYTES = 1 << 14;

/** Cells at the front. */
export const AT = {
  threads: 0,
  /** Steps so far in this schedule. */
  step: 1,
  /** Length of the prescribed part of the schedule. */
  prescribed: 2,
  /** Who made the last step. */
  last: 3,
  end: 4,
  /** Threads that have returned. */
  returned: 5,
  /** Schedules so far; moves when a new one begins. */
  round: 6,
  quit: 7,
  /** Events in the log. */
  events: 8,
  /** Threads whose next step need not be tried: bits. */
  asleep: 9,
  /** From which step on `asleep` holds. */
  asleepFrom: 10,
  /** Whether plain accesses are steps. */
  plainSteps: 11,
} as const;

/** For each thread. */
export const STATE = { new: 0, ready: 1, blocked: 2, ended: 3 } as const;
/** Of a thread: turn, state, and the step it is about to make. */
export const THREAD = {
  turn: 0,
  state: 1,
  kind: 2,
  buffer: 3,
  word: 4,
  words: 5,
  since: 6,
} as const;
const THREADS_AT = 16;
const THREAD_CELLS = 8;

/** Of an event: who, what, where, a value to show, who could have, who slept, whether it was a step. */
export const EVENT = {
  ...{
    thread: 0,
    kind: 1,
    buffer: 2,
    word: 3,
    words: 4,
    value: 5,
    enabled: 6,
    asleep: 7,
    isStep: 8,
  },
  /** Of `woken`: the event that did it. */
  cause: 9,
} as const;
const EVENT_CELLS = 10;
const EVENTS_AT = THREADS_AT + THREADS_MAX * THREAD_CELLS;
const PRESCRIBED_AT = EVENTS_AT + EVENTS_MAX * EVENT_CELLS;
const CELLS = PRESCRIBED_AT + EVENTS_MAX;

/** The memory. */
export interface BoardMemory {
  readonly cells: SharedArrayBuffer;
  /** What each thread has noted, as JSON behind its length. */
  readonly notes: readonly SharedArrayBuffer[];
}

/** A view of the memory for one thread, with names for the places. */
export class Board {
  readonly memory: BoardMemory;
  readonly cells: Int32Array<SharedArrayBuffer>;

  constructor(memory: BoardMemory = {
    cells: new SharedArrayBuffer(CELLS * 4),
    notes: Array.from({ length: THREADS_MAX }, () => new SharedArrayBuffer(NOTES_BYTES)),
  }) {
    this.memory = memory;
    this.cells = new Cells(memory.cells);
  }

  get(at: number): number {
    return this.cells[at] as number;
  }

  /** Where a cell of a thread is. */
  place(thread: number, cell: keyof typeof THREAD): number {
    return THREADS_AT + thread * THREAD_CELLS + THREAD[cell];
  }

  of(thread: number, cell: keyof typeof THREAD): number {
    return this.get(this.place(thread, cell));
  }

  put(thread: number, cell: keyof typeof THREAD, value: number): void {
    this.cells[this.place(thread, cell)] = value;
  }

  /** Where a cell of an event is. */
  event(index: number, cell: keyof typeof EVENT): number {
    return EVENTS_AT + index * EVENT_CELLS + EVENT[cell];
  }

  /** Where the choice for a step is. */
  choice(step: number): number {
    return PRESCRIBED_AT + step;
  }

  /** The threads that can make a step, as bits. */
  enabled(): number {
    let mask = 0;
    for (let thread = 0; thread < this.get(AT.threads); thread++) {
      if (this.of(thread, "state") === STATE.ready) mask |= 1 << thread;
    }
    return mask;
  }

  /** Keeps what a thread has noted. @throws {RangeError} if that is too much. */
  note(thread: number, notes: unknown): void {
    const bytes = new TextEncoder().encode(JSON.stringify(notes));
    const memory = this.memory.notes[thread] as SharedArrayBuffer;
    new Bytes(memory, 4).set(bytes);
    new Cells(memory, 0, 1)[0] = bytes.length;
  }

  notes(thread: number): unknown {
    const memory = this.memory.notes[thread] as SharedArrayBuffer;
    const length = new Cells(memory, 0, 1)[0] as number;
    return JSON.parse(new TextDecoder().decode(new Bytes(memory, 4, length).slice()));
  }
}

/** A step, as far as it matters which others it may change places with. */
export interface Access {
  readonly kind: Kind;
  readonly buffer: number;
  /** In words of 32 bits. */
  readonly word: number;
  readonly words: number;
}

/** Two steps of different threads that do not depend on each other can change places. */
export function isDependent(one: Access, other: Access): boolean {
  if (one.buffer !== other.buffer) return false;
  if (one.word >= other.word + other.words || other.word >= one.word + one.words) return false;
  return meets(one.kind, other.kind) || meets(other.kind, one.kind);
}

/** Two notifications can change places: together they wake the same threads. */
function meets(kind: Kind, other: Kind): boolean {
  switch (kind) {
    case "store":
    case "update":
    case "write":
      return other !== "notify" && other !== "woken";
    case "wait":
      return other === "wait" || other === "notify";
    default:
      return false;
  }
}
