/**
 * Lines of settings at the end of a configuration file.
 *
 * @module
 */

import { bytesOf, type ByteString, byteString, byteStringOf } from "../../ffi/bytes.ts";

/** The file with our own lines added. */
export function appendSettings(
  stored: Uint8Array,
  settings: readonly string[],
): Uint8Array<ArrayBuffer> {
  const kept = byteString(stored);
  const gap = kept === "" || kept.endsWith("\n") || settings.length === 0 ? "" : "\n";
  return bytesOf((kept + gap + settingLines(settings)) as ByteString);
}

/** Each with its line end. */
export function settingLines(settings: readonly string[]): string {
  return settings.map((line) => `${byteStringOf(line)}\n`).join("");
}
