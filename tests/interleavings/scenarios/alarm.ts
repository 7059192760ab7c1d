/**
 * The alarm: one thread sets it, others look.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { Modules, Scenario } from "../scenario.ts";

type AlarmModule = typeof import("../../../backup/tree/store_alarm.ts");
type Memory = Record<string, unknown>;

const OFF = "off";
const BEFORE = "The backup has changed under the mount: ";

async function alarm(
  modules: Modules,
  { texts, looks, lookers }: {
    readonly texts: readonly (string | undefined)[];
    readonly looks: number;
    readonly lookers: number;
  },
): Promise<Scenario> {
  const { StoreAlarm } = await modules<AlarmModule>("backup/tree/store_alarm.ts");
  const open = (memory: Memory) => new StoreAlarm(memory["shared"] as SharedArrayBuffer);
  const look = (alarm: InstanceType<typeof StoreAlarm>): string => {
    try {
      alarm.check();
      return OFF;
    } catch (error) {
      const { message } = error as Error;
      if (!message.startsWith(BEFORE)) throw error;
      return message.slice(BEFORE.length);
    }
  };
  const looksOften: Scenario["threads"][number] = (memory, note) => {
    const own = open(memory);
    for (let count = 0; count < looks; count++) note(look(own));
  };
  const states = [OFF, ...texts.map((text) => text ?? OFF)];
  return {
    memory: () => ({ shared: new StoreAlarm().shared }),
    threads: [
      (memory) => {
        const own = open(memory);
        for (const text of texts) own.set(text);
      },
      ...Array.from({ length: lookers }, () => looksOften),
    ],
    check([, ...seen], memory) {
      for (const texts of seen) {
        let from = 0;
        for (const text of texts) {
          const found = states.indexOf(text as string, from);
          assert(found >= 0, `"${text}" after "${states[from]}"`);
          from = found;
        }
      }
      assert.equal(look(open(memory)), states.at(-1));
    },
  };
}

/** Once it is on, there is no moment at which it is not, and each text is whole. */
export const setTwice = (modules: Modules) =>
  alarm(modules, { texts: ["ab", "cd"], looks: 2, lookers: 2 });

/** On, off, and on again, in the place of the first text. */
export const setThrice = (modules: Modules) =>
  alarm(modules, { texts: ["ab", undefined, "cd"], looks: 2, lookers: 1 });
