/**
 * Serves a disk that may lose power, as a process of its own:
 *
 * `main.ts IMAGE MOUNT LEFT SEED` begins with what is in the directory IMAGE, serves it on MOUNT, and
 * writes what a power cut leaves to LEFT. It prints a line when the mount is there.
 *
 * @module
 */

import { byteStringOf } from "../../../ffi/bytes.ts";
import { OPEN, systemLibc } from "../../../ffi/libc.ts";
import { Session } from "../../../fuse/mod.ts";
import { Random } from "../random.ts";
import { loadImage, saveImage } from "./image.ts";
import { PowerCutFileSystem } from "./power_cut_fs.ts";

const [imagePath = "", mountPath = "", leftPath = "", seed = ""] = Deno.args;
const disk = loadImage(imagePath);
const session = Session.mount({
  fileSystem: new PowerCutFileSystem({
    disk,
    onCut: () => saveImage(disk.cut(new Random(Number(seed))), leftPath),
    statusFd: systemLibc().open(byteStringOf(imagePath), OPEN.readOnly | OPEN.directory),
  }),
  mountPath: byteStringOf(mountPath),
  source: byteStringOf("power-cut"),
  subtype: "power-cut",
  allowOther: true,
  // All that is written comes here at once: what a cut loses is for the disk to choose.
  settings: { writebackCache: false },
  onError: () => {},
});
Deno.stdout.writeSync(new TextEncoder().encode("mounted\n"));
session.run();
session.close();
