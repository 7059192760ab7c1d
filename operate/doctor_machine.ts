/**
 * Looks at what the machine offers: kernel, FUSE, libraries.
 *
 * @module
 */

import { PbkfsError } from "../errors.ts";
import { libfuse, libfuseVersion } from "../ffi/libfuse.ts";
import { systemLibc } from "../ffi/libc.ts";
import { tryOpenLibrary } from "../ffi/library.ts";
import { readWorkerCount } from "../overlay/mod.ts";
import { checkDescriptors, checkFuseDevice, type Environment } from "../daemon/mod.ts";
import { type Finding, finding, fine, warning } from "./finding.ts";

/** Of the kernel; the oldest that pbkfs was written for, and the oldest with all it can use. */
const KERNEL_OLDEST = [4, 18];
const KERNEL_GOOD = [5, 12];

/** CAP_SYS_ADMIN in the masks of `/proc/self/status`. */
const SYS_ADMIN = 1n << 21n;

/** The libraries that decompress, and what does it without them. */
const CODEC_LIBRARIES = ["libz.so.1", "liblz4.so.1", "libzstd.so.1"];

/** All findings about the machine. */
export function lookAtMachine(environment: Environment): Promise<Finding[]> {
  return Promise.all([
    finding("processor", lookAtProcessor),
    finding("kernel", lookAtKernel),
    finding("fuse-device", () => {
      checkFuseDevice(environment.fuseDevice);
      return fine("fuse-device", `${environment.fuseDevice} can be opened`);
    }),
    finding("libfuse", () => {
      const library = libfuse(environment.libfuseNames);
      return fine("libfuse", `libfuse ${libfuseVersion(library)}`);
    }),
    finding("mount-permission", lookAtPermission),
    finding("fuse-conf", lookAtFuseConf),
    finding("codecs", lookAtCodecs),
    finding("open-files", lookAtOpenFiles),
  ]);
}

function lookAtProcessor(): Finding {
  const { arch } = Deno.build;
  if (arch === "x86_64" || arch === "aarch64") return fine("processor", arch);
  return warning("processor", arch, "pbkfs is made for x86_64 and aarch64.");
}

function lookAtKernel(): Finding {
  const release = Deno.osRelease();
  const [major = 0, minor = 0] = release.split(/[.-]/).map(Number);
  const isOlderThan = ([first = 0, second = 0]: number[]) =>
    major < first || (major === first && minor < second);
  if (isOlderThan(KERNEL_OLDEST)) {
    throw new PbkfsError("MountFailed", {
      what: `The kernel is ${release}, expected ${KERNEL_OLDEST.join(".")} or later`,
      todo: "Use a newer kernel.",
    });
  }
  if (!isOlderThan(KERNEL_GOOD)) return fine("kernel", `Linux ${release}`);
  const todo = `From ${KERNEL_GOOD.join(".")} on, a write takes a seventh of the time.`;
  return warning("kernel", `Linux ${release}`, todo);
}

/** Root mounts by itself, everybody else through `fusermount3`, which must be set-user-ID root. */
function lookAtPermission(): Finding {
  const id = "mount-permission";
  if (Deno.uid() === 0) {
    const status = Deno.readTextFileSync("/proc/self/status");
    const mask = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? "0"}`);
    if ((mask & SYS_ADMIN) !== 0n) return fine(id, "root may mount");
    throw new PbkfsError("MountFailed", {
      what: "Root lacks the right to mount (CAP_SYS_ADMIN), as in a container",
      todo: "Start the container with --cap-add SYS_ADMIN --device /dev/fuse.",
    });
  }
  const path = (Deno.env.get("PATH") ?? "/usr/bin:/bin").split(":")
    .map((dir) => `${dir}/fusermount3`).find(isFile);
  if (path === undefined) {
    throw new PbkfsError("MountFailed", {
      what: "There is no fusermount3, through which an ordinary user mounts",
      todo: "Install it: apt-get install fuse3.",
    });
  }
  const { mode, uid } = Deno.statSync(path);
  if (uid === 0 && ((mode ?? 0) & 0o4000) !== 0) return fine(id, `${path}, set-user-ID root`);
  throw new PbkfsError("MountFailed", {
    what: `${path} is not set-user-ID root`,
    todo: `Let the system's package set it right, or run: chmod u+s ${path}`,
  });
}

function lookAtFuseConf(): Finding {
  const id = "fuse-conf";
  if (Deno.uid() === 0) return fine(id, "root's mounts are open to the owner of their files");
  let text = "";
  try {
    text = Deno.readTextFileSync("/etc/fuse.conf");
  } catch {
    // Not there: then nothing is allowed.
  }
  if (/^\s*user_allow_other\s*$/m.test(text)) return fine(id, "other users may enter mounts");
  const found = "only you will see your mounts: /etc/fuse.conf lacks user_allow_other";
  return fine(id, found);
}

function lookAtCodecs(): Finding {
  const missing = CODEC_LIBRARIES.filter((name) => "reason" in tryOpenLibrary([name], {}));
  if (missing.length === 0) return fine("codecs", CODEC_LIBRARIES.join(", "));
  const found = `${missing.join(", ")} not found: slower decompressors of our own are used`;
  return warning("codecs", found, "Install zlib1g, liblz4-1 and libzstd1, or what they are here.");
}

function lookAtOpenFiles(): Finding {
  const granted = systemLibc().descriptorsMax();
  checkDescriptors(granted, readWorkerCount());
  return fine("open-files", `${granted} files may be open at a time`);
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
