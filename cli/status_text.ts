/**
 * Mounts as people read them.
 *
 * @module
 */

import { describeHolders, DIFF_NAMES, pathsIn, placeNameOf, sizeText } from "../operate/mod.ts";
import type { ShownMount } from "./status_document.ts";
import { factLines, fittedLines, tableLines } from "./table.ts";
import { ageText, durationText, timeText } from "./units.ts";

const HEADS = [
  "MOUNT",
  "BACKUP",
  "PG",
  "STATE",
  "SERVER",
  "AGE",
  "DIFF",
  "READS",
  "WRITES",
  "READ P99",
];

/** What is left out first where the terminal is narrow. */
const OPTIONAL = ["READ P99", "WRITES", "READS", "DIFF"];

/** What to do about a mount that is not well. */
function hintOf({ state, mountPath, diffPath, holders = [] }: ShownMount): string | undefined {
  switch (state) {
    case "serving":
    case "forbidden":
      return undefined;
    case "detached":
      return `kept by ${describeHolders(holders)}; ends with them, or with: ` +
        `pbkfs unmount --force -d "${diffPath}"`;
    case "dead":
      return `its process is gone; clean up with: pbkfs unmount -D "${mountPath}"`;
    case "restarting":
      return "its process has died, and it is being mounted again; if it is not wanted any more: " +
        `pbkfs unmount -D "${mountPath}"`;
    case "silent":
      return `its process does not answer; look at "${pathsIn(diffPath).log}"`;
  }
}

const SPACE_TEXTS = {
  room: "enough",
  near: "scarce",
  low: "low: writes are refused",
  full: "full: writes are refused",
};

function spaceHint({ space, diffPath }: ShownMount): string | undefined {
  if (space?.state !== "low" && space?.state !== "full") return undefined;
  return `writes are refused until there is room for "${diffPath}"`;
}

/** One line a mount, and below what to do about those that are not well. */
export function mountTable(
  mounts: readonly ShownMount[],
  { width, now }: { readonly width: number; readonly now: number },
): string[] {
  const hints = mounts.flatMap((mount) =>
    [hintOf(mount), spaceHint(mount)].filter((hint) => hint !== undefined)
      .map((hint) => `${mount.mountPath}: ${hint}`)
  );
  const hazards = mounts.flatMap((mount) =>
    hazardLines(mount).map((line) => `${mount.mountPath}: ${line}`)
  );
  const restarted = mounts.filter(({ restarts }) => (restarts?.count ?? 0) > 0)
    .map((mount) => `${mount.mountPath}: mounted again ${restartsText(mount)}`);
  const failed = mounts.flatMap((mount) =>
    failedTasks(mount).map((line) => `${mount.mountPath}: ${line}`)
  );
  const rows = [HEADS, ...mounts.map((mount) => cellsOf(mount, now))];
  return [
    ...fittedLines(rows, { width, optional: OPTIONAL }),
    ...hints,
    ...restarted,
    ...failed,
    ...hazards,
  ];
}

function cellsOf(mount: ShownMount, now: number): string[] {
  const { counters, latencies } = mount;
  return [
    mount.mountPath,
    mount.backupId === undefined ? "-" : `${mount.instance}/${mount.backupId}`,
    mount.serverVersion ?? "-",
    mount.state,
    serverText(mount),
    ageText(mount.mountedAt === undefined ? undefined : Date.parse(mount.mountedAt), now),
    mount.diff === undefined ? "-" : diffText(mount.diff),
    counters === undefined ? "-" : `${counters.reads}`,
    counters === undefined ? "-" : `${counters.writes}`,
    latencies === undefined ? "-" : durationText(latencies.read.p99Micros),
  ];
}

/** Everything about one mount. */
export function mountFacts(mount: ShownMount): string[] {
  const { diff, space, lostAndFound, counters, latencies } = mount;
  const lines = factLines({
    "mount": mount.mountPath,
    ...(mount.state === "detached" && {
      "state": `detached, kept by ${describeHolders(mount.holders ?? [])}`,
    }),
    "diff": mount.diffPath,
    "backup": `${mount.backupId} of ${mount.instance}`,
    [placeNameOf(mount.kind)]: mount.catalogPath ?? "-",
    "PostgreSQL": `${mount.serverVersion ?? "-"}, ${serverText(mount)}`,
    "process": `${mount.pid}, pbkfs ${mount.version}`,
    "deaths": restartsText(mount),
    "background": tasksText(mount),
    "since": mount.mountedAt === undefined ? "-" : timeText(Date.parse(mount.mountedAt)),
    ...(diff !== undefined && {
      "diff size": `${diffText(diff)}: data ${sizeText(diff.dataBytes)}, ` +
        `WAL ${sizeText(diff.walBytes)}, other ${sizeText(diff.otherBytes)}${countedText(diff)}`,
    }),
    ...(space !== undefined && {
      "space": `${SPACE_TEXTS[space.state]}, ${sizeText(space.reserveBytes)} reserved`,
    }),
    ...(lostAndFound !== undefined && lostAndFound.count > 0 && {
      [DIFF_NAMES.lostAndFound]:
        `${diff?.isComplete === false ? "more than " : ""}${lostAndFound.count} files ` +
        `that nothing names, ${sizeText(lostAndFound.sizeBytes)}`,
    }),
    ...(counters !== undefined && {
      "reads": `${counters.reads}, ${sizeText(counters.readBytes)}`,
      "writes": `${counters.writes}, ${sizeText(counters.writtenBytes)}`,
      "syncs": `${counters.syncs}`,
      "from the backups": `${sizeText(counters.storeBytesRead)} in ${counters.storeReads} reads, ` +
        `${counters.recordsDecoded} pages decompressed`,
      "cache": `${counters.indexesMade} page indexes made, ${counters.filesOpened} files opened`,
    }),
  });
  lines.push(...failedTasks(mount), ...hazardLines(mount));
  if (latencies === undefined) return lines;
  const rows = Object.entries(latencies).map(([kind, times]) => [
    kind,
    `${times.count}`,
    ...[times.p50Micros, times.p95Micros, times.p99Micros, times.maxMicros].map(durationText),
  ]);
  return [
    ...lines,
    "",
    ...tableLines([["REQUESTS", "COUNT", "P50", "P95", "P99", "MAX"], ...rows]),
  ];
}

/** What of the server's settings may harm production, a line each. */
function hazardLines({ hazards = [] }: ShownMount): string[] {
  return hazards.map(({ from, warning }) => `warning (${from}): ${warning}`);
}

type ShownDiff = NonNullable<ShownMount["diff"]>;

/** What serves a mount may be older than we: then it has counted all, just now. */
function diffText({ dataBytes, walBytes, otherBytes, isComplete = true }: ShownDiff): string {
  return `${isComplete ? "" : ">"}${sizeText(dataBytes + walBytes + otherBytes)}`;
}

function countedText({ ageSeconds = 0, isComplete = true }: ShownDiff): string {
  if (!isComplete) return "; still being counted";
  return ageSeconds > 0 ? `; counted ${ageSeconds} s ago` : "";
}

/** What it does in the background. An older pbkfs does not tell. */
function tasksText({ tasks }: ShownMount): string {
  if (tasks === undefined) return "-";
  const texts = tasks.list.map(({ name, state, runs }) =>
    `${name} ${state === "idle" ? "" : `${state}, `}${runs} ${runs === 1 ? "run" : "runs"}`
  );
  return `${tasks.isPaused ? "paused; " : ""}${texts.join("; ")}`;
}

/** Background tasks whose last run failed, a line each. */
function failedTasks({ tasks }: ShownMount): string[] {
  return (tasks?.list ?? []).flatMap(({ name, error, failures, runs }) =>
    error === undefined
      ? []
      : [`background task "${name}" failed, ${failures} of ${runs} times: ${error}`]
  );
}

/** How often, and what the last death was. */
function restartsText({ restarts }: ShownMount): string {
  if (restarts === undefined) return "-";
  const { count, last, isWatched } = restarts;
  const past = count === 0
    ? "none"
    : `${count === 1 ? "once" : `${count} times`}, last at ${
      timeText(Date.parse(last?.at ?? ""))
    }: ${last?.cause}`;
  return isWatched ? past : `${past}; after the next one, nobody mounts again`;
}

function serverText({ server }: ShownMount): string {
  switch (server?.state) {
    case "running":
      return `port ${server.port}`;
    case "gone":
      return `process ${server.pid} not seen`;
    case "none":
      return "no server";
    default:
      return "-";
  }
}
