/**
 * `Atomics`, and typed arrays of shared memory, of which each use is a step of a {@link Stepper}.
 *
 * @module
 */

import type { Stepper } from "./stepping.ts";

type Ints = Int32Array<SharedArrayBuffer>;
type View = Ints | Uint8Array<SharedArrayBuffer> | Float64Array<SharedArrayBuffer>;

const ARRAYS = ["Int32Array", "Uint8Array", "Float64Array"] as const;

/** Puts them in the place of the real ones. To be done before the code under test is imported. */
export function replaceSharedMemory(stepper: () => Stepper): void {
  const views = new WeakMap<object, View>();
  const globals = globalThis as unknown as Record<string, unknown>;
  for (const name of ARRAYS) {
    const RealArray = globals[name] as new (...args: unknown[]) => View;
    globals[name] = new Proxy(RealArray, {
      construct(target, args) {
        const view = new target(...args);
        return args[0] instanceof SharedArrayBuffer ? watched(view, views, stepper) : view;
      },
    });
  }
  globals["Atomics"] = atomics(views, stepper);
}

function atomics(views: WeakMap<object, View>, stepper: () => Stepper): unknown {
  const { Atomics: real } = globalThis;
  const unwrap = (array: object): Ints => {
    const view = views.get(array);
    if (view === undefined) throw new Error("Atomics of memory that is not shared");
    return view as Ints;
  };
  const operation =
    (kind: "load" | "store" | "update", perform: (...args: never[]) => number) =>
    (array: Ints, index: number, ...values: number[]): number => {
      const view = unwrap(array);
      const carryOut = perform as (view: Ints, index: number, ...values: number[]) => number;
      return stepper().step(
        kind,
        stepper().accessOf(view, index),
        () => carryOut(view, index, ...values),
      );
    };
  return {
    load: operation("load", real.load),
    store: operation("store", real.store),
    ...Object.fromEntries(
      (["add", "sub", "and", "or", "xor", "exchange", "compareExchange"] as const)
        .map((name) => [name, operation("update", real[name])]),
    ),
    isLockFree: real.isLockFree,
    wait(array: Ints, index: number, value: number, timeoutMs = Infinity): string {
      if (timeoutMs !== Infinity) throw new Error("Waiting with a time limit is not modelled");
      const view = unwrap(array);
      const isEqual = () => real.load(view, index) === value;
      return stepper().wait(stepper().accessOf(view, index), isEqual) ? "ok" : "not-equal";
    },
    notify(array: Ints, index: number, count = Infinity): number {
      return stepper().notify(stepper().accessOf(unwrap(array), index), count);
    },
  };
}

/** A view whose plain accesses are told. */
function watched(view: View, views: WeakMap<object, View>, stepper: () => Stepper): View {
  const plain = <T>(kind: "read" | "write", index: number, count: number, perform: () => T): T =>
    stepper().plain(kind, stepper().accessOf(view, index, count), perform);
  const read = (index: number) => plain("read", index, 1, () => view[index]);
  const methods: Record<PropertyKey, unknown> = {
    subarray: (begin?: number, end?: number) =>
      watched(view.subarray(begin, end) as View, views, stepper),
    slice(begin = 0, end = view.length) {
      return plain("read", begin, end - begin, () => view.slice(begin, end));
    },
    set(values: ArrayLike<number>, offset = 0) {
      if (values.length > 0) plain("write", offset, values.length, () => view.set(values, offset));
    },
    *[Symbol.iterator]() {
      for (let index = 0; index < view.length; index++) yield read(index);
    },
  };
  const proxy: View = new Proxy(view, {
    get(target, key) {
      if (typeof key === "string" && /^\d+$/.test(key)) {
        return Number(key) < target.length ? read(Number(key)) : undefined;
      }
      if (key in methods) return methods[key];
      const value = Reflect.get(target, key, target);
      if (typeof value === "function" && key !== "constructor") {
        throw new Error(`${String(key)} of shared memory is not modelled`);
      }
      return value;
    },
    set(target, key, value) {
      const index = Number(String(key));
      return plain("write", index, 1, () => Reflect.set(target, key, value, target));
    },
  });
  views.set(proxy, view);
  return proxy;
}
