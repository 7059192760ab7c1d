/**
 * The beginning of a Zstandard frame, looked at before any library gets it.
 *
 * @module
 */

const MAGIC = 0xfd2fb528;
/** Bytes of the content size by the two flag bits; the first is 1 in a single-segment frame. */
const CONTENT_SIZE_BYTES = [0, 2, 4, 8];
const DICTIONARY_ID_BYTES = [0, 1, 2, 4];

/**
 * Whether `source` begins like a frame that holds `sizeBytes` bytes, or does not tell how many.
 *
 * A frame may claim any size, and a library may believe it and allocate that much. What the frame
 * really holds is for the library to check.
 *
 * @see RFC 8878, 3.1.1.1
 */
export function isZstdFrameOf(source: Uint8Array, sizeBytes: number): boolean {
  if (source.length < 6) return false;
  const view = new DataView(source.buffer, source.byteOffset, source.length);
  if (view.getUint32(0, true) !== MAGIC) return false;
  const descriptor = view.getUint8(4);
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const sizeFlag = descriptor >> 6;
  const fieldBytes = sizeFlag === 0 && isSingleSegment ? 1 : CONTENT_SIZE_BYTES[sizeFlag]!;
  const at = 5 + (isSingleSegment ? 0 : 1) + DICTIONARY_ID_BYTES[descriptor & 3]!;
  if (at + fieldBytes > source.length) return false;
  switch (fieldBytes) {
    case 1:
      return view.getUint8(at) === sizeBytes;
    case 2:
      return view.getUint16(at, true) + 256 === sizeBytes;
    case 4:
      return view.getUint32(at, true) === sizeBytes;
    case 8:
      return view.getBigUint64(at, true) === BigInt(sizeBytes);
    default:
      return true;
  }
}
