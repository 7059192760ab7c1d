/**
 * Numbers as people read them.
 *
 * @module
 */

/** `85 µs`, `1.2 ms` or `3.4 s`. */
export function durationText(micros: number): string {
  if (micros < 1000) return `${Math.round(micros)} µs`;
  if (micros < 1e6) return `${(micros / 1000).toFixed(1)} ms`;
  return `${(micros / 1e6).toFixed(1)} s`;
}

/** `2025-03-09 14:02:11`, in local time. */
export function timeText(milliseconds: number | undefined): string {
  if (milliseconds === undefined || milliseconds === 0) return "-";
  const time = new Date(milliseconds);
  const two = (value: number) => String(value).padStart(2, "0");
  const date = [time.getFullYear(), two(time.getMonth() + 1), two(time.getDate())].join("-");
  return `${date} ${[time.getHours(), time.getMinutes(), time.getSeconds()].map(two).join(":")}`;
}

const AGE_UNITS = [["d", 86_400_000], ["h", 3_600_000], ["min", 60_000], ["s", 1000]] as const;

/** How long ago, in the largest unit of which it is more than one: `45 s`, `90 min` or `3 d`. */
export function ageText(milliseconds: number | undefined, now: number): string {
  if (milliseconds === undefined || milliseconds === 0) return "-";
  const passed = Math.max(0, now - milliseconds);
  const [unit, size] = AGE_UNITS.find(([, size]) => passed >= 2 * size) ?? ["s", 1000];
  return `${Math.floor(passed / size)} ${unit}`;
}
