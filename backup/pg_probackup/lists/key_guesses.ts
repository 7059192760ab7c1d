/**
 * Keys of a file list where they are expected: lines mostly have the same ones in the same order.
 *
 * @module
 */

import type { Field } from "./content_line.ts";

/** Pairs of a line that are guessed, and bytes of a guess. What is beyond is just not guessed. */
const PAIRS_MAX = 32;
const GUESS_BYTES_MAX = 48;

/**
 * For each pair of a line, counted from 0, the text of its key as it was last read, with quotes,
 * colon and spaces. Comparing it is much quicker than reading it anew, and proves as much.
 */
export class KeyGuesses {
  readonly #bytes = new Uint8Array(PAIRS_MAX * GUESS_BYTES_MAX);
  readonly #lengths = new Uint8Array(PAIRS_MAX);
  readonly #fields = new Uint8Array(PAIRS_MAX);

  /** Where the value begins, if the key guessed for the pair is at `at`; -1 if not. */
  match(pair: number, bytes: Uint8Array, at: number): number {
    if (pair >= PAIRS_MAX) return -1;
    const guesses = this.#bytes;
    const start = pair * GUESS_BYTES_MAX;
    const end = start + this.#lengths[pair]!;
    if (end === start) return -1;
    let offset = at;
    for (let from = start; from < end; from++, offset++) {
      if (guesses[from] !== bytes[offset]) return -1;
    }
    return offset;
  }

  /** The field of the key guessed. */
  field(pair: number): Field {
    return this.#fields[pair]! as Field;
  }

  /** Remembers a key. */
  learn(pair: number, field: Field, text: Uint8Array): void {
    if (pair >= PAIRS_MAX || text.length > GUESS_BYTES_MAX) return;
    this.#bytes.set(text, pair * GUESS_BYTES_MAX);
    this.#lengths[pair] = text.length;
    this.#fields[pair] = field;
  }
}
