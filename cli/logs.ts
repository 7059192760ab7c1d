/**
 * `pbkfs logs`.
 *
 * @module
 */

import { logLines } from "../operate/mod.ts";
import type { CommandSpec, Flags } from "./command.ts";
import { MOUNTED, MOUNTED_DIFF } from "./options.ts";
import { isReaderGone, print } from "./output.ts";

interface LogsFlags extends Flags {
  readonly mntPath?: string;
  readonly diffDir?: string;
  readonly lines?: number;
  readonly follow?: boolean;
}

const LINES = 50;

/** The command. */
export const LOGS: CommandSpec = {
  name: "logs",
  summary: "show the log of a mount",
  description: [
    "The log of a diff stays when it is unmounted. What a terminal would obey is shown as text.",
  ],
  options: [
    { ...MOUNTED, text: "of the mount there" },
    { ...MOUNTED_DIFF, text: "of this diff, mounted or not" },
    {
      short: "-n",
      long: "--lines",
      value: { name: "COUNT", kind: "count" },
      text: `the last so many lines; default: ${LINES}`,
    },
    { short: "-f", long: "--follow", text: "go on with what comes, until interrupted" },
  ],
  examples: ["pbkfs logs -D /mnt/clone", "pbkfs logs -d /var/tmp/diff -n 200 --follow"],
  codes: ["NotMounted", "DiffMissing", "PermissionDenied"],
  async run(given) {
    const { mntPath, diffDir, lines = LINES, follow = false } = given as LogsFlags;
    const place = { mountPath: mntPath, diffPath: diffDir };
    for await (const line of logLines(place, { lines, follow, isOver: isReaderGone })) print(line);
  },
};
