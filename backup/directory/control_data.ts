/**
 * The contents of `global/pg_control`: which cluster it is, how it ended, where recovery begins.
 *
 * @see ControlFileData in PostgreSQL, src/include/catalog/pg_control.h
 * @module
 */

import type { Lsn } from "../tree/lsn.ts";

/** How the cluster was left. */
export type ClusterState = "shut down" | "shut down in recovery" | "running or crashed";

/** The members that decide something here. */
export interface ControlData {
  /** In decimal digits. */
  readonly systemIdentifier: string;
  readonly state: ClusterState;
  /** Where recovery begins if there is no backup_label: the redo point of the last checkpoint. */
  readonly redo: Lsn;
  readonly timeline: number;
}

/** Longer than what we read of it, and a sector: so it is written at once. */
const BYTES_MIN = 512;
/** Since PostgreSQL 11 there is no second checkpoint in front of the copy of the last one. */
const WITHOUT_PREVIOUS = 1100;
const STATES: Readonly<Record<number, ClusterState>> = {
  1: "shut down",
  2: "shut down in recovery",
};
const STATE_MAX = 6;

/**
 * Reads it, as this machine's architecture writes it.
 *
 * @returns undefined if it is no control file of PostgreSQL 10 or later.
 */
export function parseControlData(bytes: Uint8Array): ControlData | undefined {
  if (bytes.length < BYTES_MIN) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const systemIdentifier = view.getBigUint64(0, true);
  const version = view.getUint32(8, true);
  const state = view.getUint32(16, true);
  if (systemIdentifier === 0n || version < 1000 || version > 9999 || state > STATE_MAX) {
    return undefined;
  }
  const copyAt = version >= WITHOUT_PREVIOUS ? 40 : 48;
  return {
    systemIdentifier: `${systemIdentifier}`,
    state: STATES[state] ?? "running or crashed",
    redo: view.getBigUint64(copyAt, true) as Lsn,
    timeline: view.getUint32(copyAt + 8, true),
  };
}
