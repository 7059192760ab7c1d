/**
 * Prometheus' text format. The usual client library counts by itself; our numbers are counted
 * already, in memory that threads share, and only have to be written down.
 *
 * @module
 * @see https://prometheus.io/docs/instrumenting/exposition_formats/
 */

/** A number, and what it is of. */
export interface Sample {
  /** Added to the name of the family, such as `_bucket`. */
  readonly suffix?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Numbers of one name. */
export interface MetricFamily {
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly help: string;
  readonly samples: readonly Sample[];
}

/** What a response with {@link prometheusText} says of itself. */
export const PROMETHEUS_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** All families, in their order. */
export function prometheusText(families: readonly MetricFamily[]): string {
  return families.map(({ name, type, help, samples }) =>
    `# HELP ${name} ${escaped(help)}\n# TYPE ${name} ${type}\n` +
    samples.map(({ suffix = "", labels = {}, value }) =>
      `${name}${suffix}${labelsText(labels)} ${value}\n`
    ).join("")
  ).join("");
}

function labelsText(labels: Readonly<Record<string, string>>): string {
  const parts = Object.entries(labels).map(([name, value]) =>
    `${name}="${escaped(value).replaceAll('"', '\\"')}"`
  );
  return parts.length === 0 ? "" : `{${parts.join(",")}}`;
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}
