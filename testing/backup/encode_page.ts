/**
 * Compresses pages with every codec that we decode, for tests.
 *
 * @module
 */

import { deflate } from "pako";
import type { Codec } from "../../backup/tree/base_tree.ts";
import { encodeLz4 } from "./lz4_encoder.ts";
import { encodePglz } from "./pglz_encoder.ts";
import { loadZstdPackage } from "../../backup/tree/portable_codecs.ts";

const zstd = await loadZstdPackage();

/** Payload and codec of a page. One that does not shrink is stored as it is, as `none`. */
export function encodePage(codec: Codec, page: Uint8Array): Uint8Array {
  const packed = pack(codec, page);
  return packed.length < page.length ? packed : page;
}

function pack(codec: Codec, page: Uint8Array): Uint8Array {
  switch (codec) {
    case "none":
      return page;
    case "zlib":
      return deflate(page, { level: 1 });
    case "pglz":
      return encodePglz(page);
    case "lz4":
      return encodeLz4(page);
    case "zstd":
      return zstd.compress(page, 3);
  }
}
