/**
 * @module
 */

/** The version of this program, which bindings tell. */
export const VERSION = "0.1.0";
