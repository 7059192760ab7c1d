/**
 * Times as pg_probackup writes them, and the backup ids made of them.
 *
 * @module
 */

const TIME =
  /^(\d{4})-(\d{2})-(\d{2}) (\d{2}):(\d{2}):(\d{2})(?:\.\d+)?(?:([+-])(\d{2})(?::?(\d{2}))?)?$/;

/**
 * Reads `2026-11-20 21:34:42+03`, also with minutes in the offset, and UTC if there is none.
 *
 * @returns Milliseconds since 1970, or undefined if the text is no such time.
 * @see time2iso in pg_probackup, src/util.c
 */
export function parseTime(text: string): number | undefined {
  const found = TIME.exec(text);
  if (found === null) return undefined;
  const [year, month, day, hour, minute, second] = found.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  if (month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || second > 60) {
    return undefined;
  }
  const offsetMinutes = Number(found[8] ?? 0) * 60 + Number(found[9] ?? 0);
  const sign = found[7] === "-" ? -1 : 1;
  return Date.UTC(year, month - 1, day, hour, minute, second) - sign * offsetMinutes * 60_000;
}

/**
 * Writes a time as pg_probackup does: `2026-11-20 21:34:42+03`, minutes of the offset only if
 * there are any.
 *
 * @param time Milliseconds since 1970; fractions of a second are dropped.
 * @param offsetMinutes East of UTC; the machine's own zone if left out.
 */
export function formatTime(time: number, offsetMinutes = -new Date(time).getTimezoneOffset()) {
  const shifted = new Date(time + offsetMinutes * 60_000).toISOString();
  const distance = Math.abs(offsetMinutes);
  const hours = String(Math.floor(distance / 60)).padStart(2, "0");
  const minutes = distance % 60 === 0 ? "" : `:${String(distance % 60).padStart(2, "0")}`;
  const sign = offsetMinutes < 0 ? "-" : "+";
  return `${shifted.slice(0, 10)} ${shifted.slice(11, 19)}${sign}${hours}${minutes}`;
}

/** The id of the backup that started at `time`, in milliseconds: base36 of the seconds. */
export function backupIdOf(time: number): string {
  return Math.floor(time / 1000).toString(36).toUpperCase();
}
