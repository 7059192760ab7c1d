/**
 * Small data directories made by hand, with all that a source looks at.
 *
 * @module
 */

/** A data directory with a tablespace beside it. `await using` it. */
export interface HandDirectory extends AsyncDisposable {
  readonly dirPath: string;
  /** The directory that it lies in. */
  readonly topPath: string;
}

/** How a cluster was left, as `pg_control` has it. */
export const STATE = { shutDown: 1, inProduction: 6 } as const;

/** What it is made with. */
export interface HandOptions {
  /** {@link STATE}; in production if left out, as in a base backup. */
  readonly state?: number;
  /** Without, it is no base backup. */
  readonly hasLabel?: boolean;
}

export const SEGMENT_BYTES = 1 << 20;
const SYSTEM_IDENTIFIER = 7_300_000_000_000_000_001n;
/** 0/200028: in segment 2 of the log, with segments of 1 MiB. */
const START = 0x20_0028n;
const LABEL = "START WAL LOCATION: 0/200028 (file 000000010000000000000002)\n" +
  "CHECKPOINT LOCATION: 0/200060\nBACKUP METHOD: streamed\nSTART TIMELINE: 1\n";

/** Makes one. */
export function handDirectory(options: HandOptions = {}): HandDirectory {
  const topPath = Deno.realPathSync(Deno.makeTempDirSync({ prefix: "pbkfs-test-" }));
  const dirPath = `${topPath}/data`;
  const tablespace = `${topPath}/elsewhere`;
  for (
    const path of [
      ...["", "/base", "/base/5", "/global", "/pg_wal", "/pg_wal/archive_status", "/pg_tblspc"],
      ...["/pg_stat_tmp", "/pg_replslot"],
    ]
  ) Deno.mkdirSync(dirPath + path, { mode: 0o700 });
  Deno.mkdirSync(`${tablespace}/PG_17_202406281/5`, { recursive: true });
  Deno.symlinkSync(tablespace, `${dirPath}/pg_tblspc/16384`);
  const write = (path: string, content: string | Uint8Array) =>
    Deno.writeFileSync(path, typeof content === "string" ? encode(content) : content, {
      mode: 0o600,
    });
  write(`${dirPath}/PG_VERSION`, "17\n");
  write(`${dirPath}/global/pg_control`, controlOf(options.state ?? STATE.inProduction));
  if (options.hasLabel !== false) write(`${dirPath}/backup_label`, LABEL);
  write(`${dirPath}/postgresql.conf`, "port = 5432\n");
  write(`${dirPath}/postgresql.auto.conf`, "work_mem = '8MB'\n");
  write(`${dirPath}/pg_hba.conf`, "local all all trust\n");
  write(`${dirPath}/pg_ident.conf`, "# none\n");
  write(`${dirPath}/base/5/1259`, pages(5));
  write(`${dirPath}/base/5/1259_vm`, pages(1));
  write(`${dirPath}/base/5/empty`, "");
  write(`${tablespace}/PG_17_202406281/5/16385`, pages(3));
  for (const number of [1, 2, 3, 4]) {
    write(`${dirPath}/pg_wal/00000001000000000000000${number}`, new Uint8Array(SEGMENT_BYTES));
  }
  write(`${dirPath}/pg_wal/00000001.history`, "");
  const dispose = () => Deno.remove(topPath, { recursive: true });
  return { dirPath, topPath, [Symbol.asyncDispose]: dispose };
}

/** `global/pg_control` of PostgreSQL 13 to 17, as far as it is looked at. */
function controlOf(state: number): Uint8Array {
  const bytes = new Uint8Array(8192);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, SYSTEM_IDENTIFIER, true);
  view.setUint32(8, 1300, true);
  view.setUint32(16, state, true);
  view.setBigUint64(40, START, true);
  view.setUint32(48, 1, true);
  return bytes;
}

function pages(count: number): Uint8Array {
  return Uint8Array.from({ length: count * 8192 }, (_, at) => (at * 31 + (at >> 13)) & 0xff);
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
