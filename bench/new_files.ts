/**
 * What a diff with very many new files costs: its unmount, the mount after it, memory, and how long
 * `pbkfs status` waits for an answer.
 *
 * @module
 */

import { mountStatus } from "../operate/mod.ts";
import { byteStringOf } from "../ffi/bytes.ts";
import { writeSynthetic } from "../tests/support/catalog_writer/synthetic.ts";
import { close, mkdir, open, pwrite } from "../tests/support/posix.ts";
import { memoryMb, peakMemoryMb } from "./support/daemon_meter.ts";
import { spread } from "./support/pairs.ts";
import type { Row } from "./support/report.ts";
import { main, type Scenario } from "./support/scenario.ts";
import { type BenchMount, giveToUser, say } from "./support/world.ts";

const CREATE = 0o302; // O_RDWR | O_CREAT | O_EXCL
const BYTES = new Uint8Array(100).fill(7);
const DIRECTORIES = 100;

function makeFiles(dirPath: string, files: number): void {
  mkdir(byteStringOf(dirPath));
  for (let n = 0; n < DIRECTORIES; n++) mkdir(byteStringOf(`${dirPath}/${n}`));
  for (let n = 0; n < files; n++) {
    const fd = open(byteStringOf(`${dirPath}/${n % DIRECTORIES}/${n}`), CREATE, 0o600);
    pwrite(fd, BYTES, 0);
    close(fd);
  }
}

/** Figures of one mount, by name. */
class Figures {
  readonly #figures = new Map<string, { readonly unit: string; readonly values: number[] }>();

  add(what: string, unit: string, value: number): void {
    const known = this.#figures.get(what) ?? { unit, values: [] };
    known.values.push(value);
    this.#figures.set(what, known);
  }

  rows(): Row[] {
    return [...this.#figures].map(([what, { unit, values }]) => ({
      ...{ what, unit, alone: spread(values), runs: values.length },
    }));
  }
}

async function seconds(body: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await body();
  return (performance.now() - start) / 1000;
}

async function noteMount(figures: Figures, mount: BenchMount, when: string): Promise<void> {
  figures.add(`mount ${when}`, "s", mount.mountSeconds);
  figures.add(`memory ${when}`, "MiB", memoryMb(await mount.pid()));
  figures.add(`most memory ${when}`, "MiB", peakMemoryMb(await mount.pid()));
  const status = () => mountStatus(mount.mountDir);
  figures.add(`first status ${when}`, "s", await seconds(status));
  figures.add(`second status ${when}`, "s", await seconds(status));
}

async function noteUnmount(figures: Figures, mount: BenchMount, when: string): Promise<void> {
  figures.add(`unmount ${when}`, "s", await seconds(() => mount.unmount()));
}

export const scenario: Scenario = {
  name: "new_files",
  async measure(world): Promise<Row[]> {
    const { manyNewFiles: files, pairs } = world.options;
    const catalogPath = world.newPath("few");
    writeSynthetic({ catalogPath, files: 300, backups: 1 });
    await giveToUser(world, catalogPath);
    const diffDir = world.newPath("kept-diff");
    const figures = new Figures();
    {
      await using mount = await world.mount(catalogPath, { diffDir });
      await noteMount(figures, mount, "of a new diff");
      say(`making ${files} files`);
      const making = () => Promise.resolve(makeFiles(`${mount.mountDir}/new`, files));
      figures.add(`making ${files} files`, "s", await seconds(making));
      figures.add("memory after that", "MiB", memoryMb(await mount.pid()));
      await noteUnmount(figures, mount, "after that");
    }
    for (let run = 0; run < pairs; run++) {
      await using mount = await world.mount(catalogPath, { diffDir });
      await noteMount(figures, mount, `with ${files} files in the diff`);
      const list = async () => {
        for (let n = 0; n < DIRECTORIES; n++) {
          const dirPath = `${mount.mountDir}/new/${n}`;
          for await (const { name } of Deno.readDir(dirPath)) {
            await Deno.lstat(`${dirPath}/${name}`);
          }
        }
      };
      figures.add("find -ls of them", "s", await seconds(list));
      figures.add("memory after that listing", "MiB", memoryMb(await mount.pid()));
      await noteUnmount(figures, mount, `with ${files} files in the diff`);
    }
    return figures.rows();
  },
};

if (import.meta.main) await main([scenario]);
