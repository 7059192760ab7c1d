/**
 * File names are bytes, not text. A `ByteString` holds one byte a character (U+0000 to U+00FF),
 * so that it can be compared, split and used as a key like any string, and loses nothing.
 *
 * @module
 */

/** A string in which each character stands for one byte. */
export type ByteString = string & { readonly bytes: unique symbol };

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The bytes as they are, one character each. */
export function byteString(bytes: Uint8Array): ByteString {
  // In slices, since the number of arguments of a call is limited.
  let text = "";
  for (let at = 0; at < bytes.length; at += 4096) {
    text += String.fromCharCode(...bytes.subarray(at, at + 4096));
  }
  return text as ByteString;
}

/** The UTF-8 encoding of `text`, as for a path given on the command line. */
export function byteStringOf(text: string): ByteString {
  // deno-lint-ignore no-control-regex -- the range of ASCII, control characters included
  return /^[\x00-\x7f]*$/.test(text) ? (text as ByteString) : byteString(encoder.encode(text));
}

/** The bytes of `text`, followed by as many zero bytes as asked for. */
export function bytesOf(text: ByteString, zeros = 0): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(text.length + zeros);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return bytes;
}

/** The bytes read as UTF-8, for messages. What is not UTF-8 shows as U+FFFD. */
export function printable(text: ByteString): string {
  return decoder.decode(bytesOf(text));
}
