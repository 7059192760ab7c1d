/**
 * Memory that C and JavaScript both see.
 *
 * @module
 */

/** A place in this process's memory. Only `ffi/` looks behind it. */
export type Address = number & { readonly address: unique symbol };

/** A block of memory that stays where it is for as long as the object is reachable. */
export interface NativeBuffer {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView<ArrayBuffer>;
  readonly address: Address;
  readonly sizeBytes: number;
}

/** The kernel copies to and from whole pages with half the work where they begin as its own do. */
const MEMORY_PAGE_SIZE_BYTES = 4096;

/** Zeroed memory of `sizeBytes` bytes; if it is a page or more, it begins where a page does. */
export function allocate(sizeBytes: number): NativeBuffer {
  const slack = sizeBytes >= MEMORY_PAGE_SIZE_BYTES ? MEMORY_PAGE_SIZE_BYTES : 0;
  const block = new Uint8Array(sizeBytes + slack);
  const start = slack === 0 ? 0 : -addressOf(block) & (MEMORY_PAGE_SIZE_BYTES - 1);
  const bytes = block.subarray(start, start + sizeBytes);
  const view = new DataView(block.buffer, start, sizeBytes);
  return { bytes, view, address: addressOf(bytes), sizeBytes };
}

/** Where `bytes` begin. The caller keeps them reachable for as long as the address is used. */
export function addressOf(bytes: Uint8Array<ArrayBuffer>): Address {
  return Number(Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes))) as Address;
}

/** The address `offsetBytes` further on. */
export function offset(address: Address, offsetBytes: number): Address {
  return (address + offsetBytes) as Address;
}

/** A pointer that a C function returned, as an address; 0 for NULL. */
export function toAddress(pointer: Deno.PointerValue): Address {
  return Number(Deno.UnsafePointer.value(pointer)) as Address;
}

/** An address as a pointer object, for the few functions of Deno that want one. */
function toPointer(address: Address): Deno.PointerValue {
  return Deno.UnsafePointer.create(BigInt(address));
}

/**
 * Memory that belongs to C, seen as bytes. It is not copied: the caller must not touch the result
 * after C has freed or moved the memory.
 */
export function borrow(address: Address, sizeBytes: number): Uint8Array<ArrayBuffer> {
  const pointer = toPointer(address);
  if (pointer === null) throw new TypeError("Cannot borrow memory at NULL");
  return new Uint8Array(Deno.UnsafePointerView.getArrayBuffer(pointer, sizeBytes));
}

/** As {@link borrow}, with its address: memory that another thread has allocated, and keeps. */
export function borrowBuffer(address: Address, sizeBytes: number): NativeBuffer {
  const bytes = borrow(address, sizeBytes);
  return { bytes, view: new DataView(bytes.buffer), address, sizeBytes };
}
