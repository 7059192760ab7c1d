/**
 * The accounts that a mount gives of itself: its log, its metrics, its trace and its status.
 *
 * @module
 */

export { BoundedListener, type Visit } from "./bounded_listener.ts";
export { loadLogging, type Log, type LogFacts, openLog, SILENT_LOG } from "./log.ts";
export {
  DEFAULT_LOGGING,
  LOG_FORMATS,
  type LogOptions,
  type LogTarget,
  parseLogOptions,
} from "./log_options.ts";
export {
  METRICS_CONNECTIONS_MAX,
  type MetricsAddress,
  parseMetricsAddress,
  serveMetrics,
} from "./metrics.ts";
export {
  type BackgroundTasks,
  type DiffSize,
  type MountStatus,
  type Restarts,
  type SpaceStatus,
  summaries,
  type TaskStatus,
} from "./mount_status.ts";
export { type Complain, rareComplaints, surviveErrors } from "./survive.ts";
export { terminalJson, terminalText } from "./terminal_text.ts";
export { TraceLines, type TraceNews } from "./trace_lines.ts";
