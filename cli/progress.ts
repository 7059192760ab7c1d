/**
 * A sign of life while something takes long.
 *
 * @module
 */

import { say, stderrWrite } from "./output.ts";

const SILENT_MS = 1000;

/** What is being done, on the last line of the terminal. */
export interface Progress extends Disposable {
  /** Says something above that line. */
  say(text: string): void;
}

/** Shows `text` and the seconds that passed, from the first second on, where a person looks. */
export function showProgress(text: string): Progress {
  if (!Deno.stderr.isTerminal()) return { say, [Symbol.dispose]: () => {} };
  const start = performance.now();
  let isShown = false;
  const clear = () => {
    if (isShown) stderrWrite("\r\x1b[K");
    isShown = false;
  };
  const show = () => {
    clear();
    stderrWrite(`${text}: ${Math.round((performance.now() - start) / 1000)} s`);
    isShown = true;
  };
  const timer = setInterval(show, SILENT_MS);
  return {
    say(line) {
      clear();
      say(line);
    },
    [Symbol.dispose]() {
      clearInterval(timer);
      clear();
    },
  };
}
