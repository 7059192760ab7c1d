/**
 * The log of a mount, for people: where it is, and its last lines.
 *
 * @module
 */

import { pathsIn } from "../binding/mod.ts";
import { actForOwnerOfDiff, ask, inTime } from "../daemon/mod.ts";
import { isDenied, PbkfsError } from "../errors.ts";
import { absolute } from "../ffi/real_path.ts";
import type { LogTarget } from "../observe/mod.ts";
import { findServed, type MountPlace } from "./find_mount.ts";

const ANSWER_MS = 3_000;

/**
 * Where the log of a mount is, or of the last mount of a diff.
 *
 * @returns The path of a file, and of the diff.
 * @throws {PbkfsError} `NotMounted`; `DiffMissing` if there is no such diff, or no log; `Usage` if it
 * goes to no file; `PermissionDenied`.
 */
async function findLog(
  place: MountPlace,
): Promise<{ readonly path: string; readonly diffPath: string }> {
  const diffPath = await diffOf(place);
  const target = await inTime(targetOf(diffPath), ANSWER_MS, undefined);
  if (target !== undefined && target.to !== "file") {
    const reader = target.to === "journald" ? "journalctl -t pbkfs" : "the system's log";
    throw new PbkfsError("Usage", {
      what: `The log of this mount goes to ${target.to}`,
      todo: target.to === "stderr" ? "Look where it was started." : `Look with: ${reader}`,
    });
  }
  const path = target?.path ?? pathsIn(diffPath).log;
  let found: Deno.FileInfo;
  try {
    found = Deno.lstatSync(path);
  } catch (error) {
    throw missing(path, error);
  }
  if (!found.isFile) throw missing(path, new Error("it is no file"));
  return { path, diffPath };
}

async function diffOf(place: MountPlace): Promise<string> {
  const { mountPath, diffPath } = place;
  if (diffPath === undefined || mountPath !== undefined) {
    return (await findServed(place)).mount.diffPath;
  }
  try {
    return Deno.realPathSync(diffPath);
  } catch (error) {
    throw missing(absolute(diffPath), error);
  }
}

/** What the process behind a mount says; undefined if there is none, or it does not tell. */
async function targetOf(diffPath: string): Promise<LogTarget | undefined> {
  const answer = await ask(pathsIn(diffPath).socket, { operation: "status" }).catch((error) => {
    if (isDenied(error)) throw error;
    return undefined;
  });
  return answer !== undefined && "status" in answer ? answer.status.log : undefined;
}

function missing(path: string, cause: unknown): PbkfsError {
  const denied = isDenied(cause);
  return new PbkfsError(denied ? "PermissionDenied" : "DiffMissing", {
    what: `There is no log to read at "${path}": ${(cause as Error).message}`,
    todo: denied
      ? "Look as the user who mounts, or as root."
      : "Give the mount with -D, or the diff with -d. A log that went elsewhere stays there.",
    cause,
  });
}

const CHUNK_BYTES = 64 * 1024;
const NEWLINE = 10;

/** What to read of a log. */
export interface TailOptions {
  /** The last so many lines. */
  readonly lines: number;
  /** Also what comes later, until `isOver` says so. A file that is replaced is followed. */
  readonly follow: boolean;
  readonly isOver: () => boolean;
}

const LOOK_MS = 200;

/**
 * The last lines of a mount's log, oldest first, without their ends. From then on root's process has
 * the rights of the diff's owner, if the log lies in the diff.
 *
 * @throws {PbkfsError} as {@link findLog}.
 */
export async function* logLines(
  place: MountPlace,
  options: TailOptions,
): AsyncGenerator<string> {
  const { path, diffPath } = await findLog(place);
  // Who owns the diff can put a link in its place.
  if (path.startsWith(`${diffPath}/`)) actForOwnerOfDiff(diffPath);
  if (options.lines > 0 || options.follow) yield* tailLog(path, options);
}

async function* tailLog(path: string, options: TailOptions): AsyncGenerator<string> {
  let file = Deno.openSync(path);
  let at = startOfLast(file, options.lines);
  let rest = "";
  let decoder = new TextDecoder();
  const buffer = new Uint8Array(CHUNK_BYTES);
  try {
    while (!options.isOver()) {
      file.seekSync(at, Deno.SeekMode.Start);
      const count = file.readSync(buffer) ?? 0;
      at += count;
      const parts = (rest + decoder.decode(buffer.subarray(0, count), { stream: true })).split(
        "\n",
      );
      rest = parts.pop() ?? "";
      yield* parts;
      if (count > 0) continue;
      if (!options.follow) break;
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      if (!isReplaced(path, file, at)) continue;
      file.close();
      file = Deno.openSync(path);
      [at, rest, decoder] = [0, "", new TextDecoder()];
    }
  } finally {
    file.close();
  }
  if (rest !== "") yield rest; // A line that is being written.
}

/** Where the last lines begin, in bytes. */
function startOfLast(file: Deno.FsFile, lines: number): number {
  let end = file.statSync().size;
  if (lines === 0) return end;
  let found = 0;
  const isLast = (at: number, size: number) => at === size - 1;
  for (const size = end; end > 0;) {
    const start = Math.max(0, end - CHUNK_BYTES);
    const chunk = new Uint8Array(end - start);
    file.seekSync(start, Deno.SeekMode.Start);
    const count = file.readSync(chunk) ?? 0;
    for (let index = count - 1; index >= 0; index--) {
      // The last line may have an end, which begins no other.
      if (chunk[index] !== NEWLINE || isLast(start + index, size)) continue;
      found++;
      if (found === lines) return start + index + 1;
    }
    end = start;
  }
  return 0;
}

/** Whether the path leads to another file by now, or the file was made empty. */
function isReplaced(path: string, file: Deno.FsFile, at: number): boolean {
  try {
    const [now, old] = [Deno.lstatSync(path), file.statSync()];
    return now.isFile && (now.ino !== old.ino || now.dev !== old.dev || now.size < at);
  } catch {
    return false; // It is just being replaced.
  }
}
