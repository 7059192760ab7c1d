/**
 * Data files that nothing names: kept aside, never deleted.
 *
 * @module
 */

/** What was found, or lies there. */
export interface Strays {
  /** Files. */
  readonly count: number;
  /** On disk; holes take none. */
  readonly sizeBytes: number;
}

/** What {@link StrayFiles.keep} has done. */
export interface KeptStrays extends Strays {
  /** Of those, the ones that could not be moved, and why. */
  readonly left: number;
  readonly reason?: string;
}

/** Moves strays, one by one, under names that nothing there has. */
export class StrayFiles {
  readonly #from: string;
  readonly #to: string;
  readonly #taken = new Set<string>();
  #isReady = false;
  #kept: KeptStrays = { count: 0, sizeBytes: 0, left: 0 };

  /** @param to Made with the first stray. */
  constructor({ from, to }: { readonly from: string; readonly to: string }) {
    this.#from = from;
    this.#to = to;
  }

  get kept(): KeptStrays {
    return this.#kept;
  }

  /** Where there is no room for a directory, or somebody else's is in the way, it stays. */
  keep(name: string): void {
    const path = `${this.#from}/${name}`;
    const { count, sizeBytes, left, reason } = this.#kept;
    const size = sizeBytes + spaceOf(path);
    try {
      this.#prepare();
      const free = this.#freeName(name);
      Deno.renameSync(path, `${this.#to}/${free}`);
      this.#taken.add(free);
      this.#kept = { ...this.#kept, count: count + 1, sizeBytes: size };
    } catch (error) {
      const why = reason ?? (error as Error).message;
      this.#kept = { count: count + 1, sizeBytes: size, left: left + 1, reason: why };
    }
  }

  #prepare(): void {
    if (this.#isReady) return;
    try {
      Deno.mkdirSync(this.#to, { mode: 0o700 });
    } catch (error) {
      if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
      if (!Deno.lstatSync(this.#to).isDirectory) throw error;
    }
    for (const { name } of Deno.readDirSync(this.#to)) this.#taken.add(name);
    this.#isReady = true;
  }

  #freeName(name: string): string {
    if (!this.#taken.has(name)) return name;
    for (let number = 1;; number++) {
      if (!this.#taken.has(`${name}.${number}`)) return `${name}.${number}`;
    }
  }
}

function spaceOf(path: string): number {
  return (Deno.lstatSync(path).blocks ?? 0) * 512;
}
