/**
 * Brings together what several threads tell of one request: the dispatcher knows its number, the
 * thread that answers it knows only where it lies in memory.
 *
 * @module
 */

import { outcomeText } from "../fuse/mod.ts";

/** What threads tell of requests. */
export type TraceNews =
  | { readonly line: string }
  | { readonly handedOver: number; readonly request: number }
  | { readonly replied: number; readonly errno: number; readonly sizeBytes?: number };

/**
 * Turns news into lines, each with its request's number.
 *
 * Threads tell independently, so an answer may come before the word that its request was handed
 * over, and the next request may lie where an answered one has lain: each place has its queues.
 */
export class TraceLines {
  readonly #print: (line: string) => void;
  readonly #numbers = new Map<number, number[]>();
  readonly #answers = new Map<number, string[]>();

  constructor(print: (line: string) => void) {
    this.#print = print;
  }

  tell(news: TraceNews): void {
    if ("line" in news) this.#print(news.line);
    else if ("handedOver" in news) this.#add(this.#numbers, news.request, news.handedOver);
    else this.#add(this.#answers, news.replied, answerText(news));
  }

  #add<T>(queues: Map<number, T[]>, request: number, item: T): void {
    queues.set(request, [...queues.get(request) ?? [], item]);
    const [numbers = [], answers = []] = [this.#numbers.get(request), this.#answers.get(request)];
    while (numbers.length > 0 && answers.length > 0) {
      this.#print(`${numbers.shift()} ${answers.shift()}`);
    }
    if (numbers.length === 0) this.#numbers.delete(request);
    if (answers.length === 0) this.#answers.delete(request);
  }
}

function answerText({ errno, sizeBytes }: { errno: number; sizeBytes?: number }): string {
  return errno === 0 && sizeBytes !== undefined ? `ok ${sizeBytes}` : outcomeText(errno);
}
