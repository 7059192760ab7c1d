/**
 * How long a mount takes by the number of files, and what memory. No server starts: the catalogs
 * are made up.
 *
 * @module
 */

import { writeSynthetic } from "../tests/support/catalog_writer/synthetic.ts";
import { DaemonMeter } from "./support/daemon_meter.ts";
import { spread } from "./support/pairs.ts";
import type { Row } from "./support/report.ts";
import { main, type Scenario } from "./support/scenario.ts";
import { giveToUser, say, type World } from "./support/world.ts";

interface Shape {
  readonly files: number;
  readonly backups: number;
  readonly aims?: { readonly seconds: string; readonly memory: string };
}

async function measureShape(world: World, shape: Shape): Promise<Row[]> {
  const { files, backups, aims } = shape;
  const { pairs, warmUp } = world.options;
  const catalogPath = world.newPath("many");
  say(`making a catalog of ${files} files in ${backups} backups`);
  writeSynthetic({ catalogPath, files, backups });
  await giveToUser(world, catalogPath);
  const meter = new DaemonMeter();
  const seconds: number[] = [];
  for (let run = warmUp ? -1 : 0; run < pairs; run++) {
    await using mount = await world.mount(catalogPath);
    Deno.statSync(`${mount.mountDir}/base/16384/20000`);
    if (run < 0) continue;
    seconds.push(mount.mountSeconds);
    meter.note(await mount.pid());
  }
  await Deno.remove(catalogPath, { recursive: true });
  const what = `mount of ${files} files × ${backups} backups`;
  const [cpu, memory] = meter.rows(what);
  return [
    { what, unit: "s", alone: spread(seconds), runs: seconds.length, aim: aims?.seconds ?? "" },
    cpu!,
    { ...memory!, aim: aims?.memory ?? "" } as Row,
  ];
}

export const scenario: Scenario = {
  name: "many_files",
  async measure(world): Promise<Row[]> {
    const { files, backups, manyFiles } = world.options;
    const shapes: Shape[] = [
      { files, backups: 1 },
      { files, backups, aims: { seconds: "2 s", memory: "300 MiB" } },
      {
        files: manyFiles,
        backups: 1,
        aims: {
          seconds: `${manyFiles / files} × that of ${files}`,
          memory: "grows no faster",
        },
      },
    ];
    const rows: Row[] = [];
    for (const shape of shapes) rows.push(...await measureShape(world, shape));
    return rows;
  },
};

if (import.meta.main) await main([scenario]);
