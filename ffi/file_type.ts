/**
 * The type of a file, as its st_mode tells it.
 *
 * @module
 */

/** The type bits of a mode. Source: sys/stat.h. */
export const TYPE = {
  mask: 0o170000,
  socket: 0o140000,
  symlink: 0o120000,
  file: 0o100000,
  block: 0o060000,
  directory: 0o040000,
  character: 0o020000,
  fifo: 0o010000,
} as const;
