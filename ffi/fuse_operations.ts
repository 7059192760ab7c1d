/**
 * `struct fuse_lowlevel_ops` made of TypeScript functions.
 *
 * @module
 */

import { LOWLEVEL_OPERATIONS } from "./fuse_layout.ts";
import { type Address, allocate, type NativeBuffer } from "./memory.ts";

/**
 * The C signatures of the callbacks that we register. Pointers are declared as integers, because
 * an integer costs less to pass than a pointer object. Of frequent operations, the last parameter,
 * which we do not use, is left out, and a size, which is at most 1 MiB, is declared by its lower
 * half: each 64-bit value would arrive as a `BigInt`.
 */
const SIGNATURES = {
  // void init(void *userdata, struct fuse_conn_info *conn)
  init: ["u64", "u64"],
  // void lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
  lookup: ["u64", "u64", "u64"],
  // void forget(fuse_req_t req, fuse_ino_t ino, uint64_t nlookup)
  forget: ["u64", "u64", "u64"],
  // void getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
  getattr: ["u64", "u64"],
  // void setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
  //              struct fuse_file_info *fi)
  setattr: ["u64", "u64", "u64", "i32"],
  // void readlink(fuse_req_t req, fuse_ino_t ino)
  readlink: ["u64", "u64"],
  // void mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
  mknod: ["u64", "u64", "u64", "u32", "u64"],
  // void mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
  mkdir: ["u64", "u64", "u64", "u32"],
  // void unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
  unlink: ["u64", "u64", "u64"],
  // void rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
  rmdir: ["u64", "u64", "u64"],
  // void symlink(fuse_req_t req, const char *link, fuse_ino_t parent, const char *name)
  symlink: ["u64", "u64", "u64", "u64"],
  // void rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t newparent,
  //             const char *newname, unsigned int flags)
  rename: ["u64", "u64", "u64", "u64", "u64", "u32"],
  // void link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t newparent, const char *newname)
  link: ["u64", "u64", "u64", "u64"],
  // void open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
  open: ["u64", "u64", "u64"],
  // void read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
  read: ["u64", "u64", "u32", "i64"],
  // void write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
  //            struct fuse_file_info *fi)
  write: ["u64", "u64", "u64", "u32", "i64"],
  // void fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
  fsync: ["u64", "u64", "i32"],
  // void opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
  opendir: ["u64", "u64", "u64"],
  // void readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
  //              struct fuse_file_info *fi)
  readdir: ["u64", "u64", "u64", "i64", "u64"],
  // void fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
  fsyncdir: ["u64", "u64", "i32", "u64"],
  // void statfs(fuse_req_t req, fuse_ino_t ino)
  statfs: ["u64", "u64"],
  // void setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value,
  //               size_t size, int flags)
  setxattr: ["u64", "u64", "u64", "u64", "u64", "i32"],
  // void getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
  getxattr: ["u64", "u64", "u64", "u64"],
  // void listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
  listxattr: ["u64", "u64", "u64"],
  // void removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
  removexattr: ["u64", "u64", "u64"],
  // void create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
  //             struct fuse_file_info *fi)
  create: ["u64", "u64", "u64", "u32", "u64"],
  // void fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t length,
  //                struct fuse_file_info *fi)
  fallocate: ["u64", "u64", "i32", "i64", "i64", "u64"],
  // void readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
  //                  struct fuse_file_info *fi)
  readdirplus: ["u64", "u64", "u64", "i64", "u64"],
  // void lseek(fuse_req_t req, fuse_ino_t ino, off_t off, int whence, struct fuse_file_info *fi)
  lseek: ["u64", "u64", "i64", "i32"],
} as const satisfies Record<string, readonly Deno.NativeType[]>;

/** The name of an operation that we may serve. */
export type OperationName = keyof typeof SIGNATURES;

type Numbers<T extends readonly unknown[]> = { readonly [Index in keyof T]: number };

/**
 * One function. It is declared as a method, whose parameters may be types of the caller's own that
 * are numbers, such as inode numbers: here nothing is known of them.
 */
type Handler<Name extends OperationName> = {
  handle(...args: Numbers<(typeof SIGNATURES)[Name]>): void;
}["handle"];

/**
 * A function for each operation served. Arguments come as numbers, in the order of the C
 * declaration; pointers are addresses, valid during the call only.
 */
export type Handlers = { readonly [Name in OperationName]: Handler<Name> };

/** The struct, and what keeps its functions alive. */
export interface Operations {
  readonly address: Address;
  readonly sizeBytes: number;
  /** Frees the callbacks; the session must be gone by then. */
  close(): void;
}

/** Registers `handlers` as C callbacks. They run on the thread that makes them. */
export function makeOperations(handlers: Handlers): Operations {
  const table: NativeBuffer = allocate(LOWLEVEL_OPERATIONS.length * 8);
  const callbacks: { close(): void }[] = [];
  LOWLEVEL_OPERATIONS.forEach((name, index) => {
    if (!(name in SIGNATURES)) return;
    const served = name as OperationName;
    const callback = makeCallback(served, handlers[served]);
    callbacks.push(callback);
    table.view.setBigUint64(index * 8, callback.address, true);
  });
  return {
    address: table.address,
    sizeBytes: table.sizeBytes,
    close() {
      for (const callback of callbacks) callback.close();
      table.bytes.fill(0);
    },
  };
}

/** One argument list an arity, since a rest parameter would make an array a request. */
function makeCallback(
  name: OperationName,
  handle: (...args: number[]) => void,
): { address: bigint; close(): void } {
  const parameters = SIGNATURES[name] as readonly Deno.NativeType[];
  type Raw = bigint | number;
  const byArity: Record<number, (...args: Raw[]) => void> = {
    2: (a, b) => handle(Number(a), Number(b)),
    3: (a, b, c) => handle(Number(a), Number(b), Number(c)),
    4: (a, b, c, d) => handle(Number(a), Number(b), Number(c), Number(d)),
    5: (a, b, c, d, e) => handle(Number(a), Number(b), Number(c), Number(d), Number(e)),
    6: (a, b, c, d, e, f) =>
      handle(Number(a), Number(b), Number(c), Number(d), Number(e), Number(f)),
  };
  const callback = new Deno.UnsafeCallback(
    { parameters: parameters as Deno.NativeType[], result: "void" },
    byArity[parameters.length] as (...args: unknown[]) => undefined,
  );
  return {
    address: BigInt(Deno.UnsafePointer.value(callback.pointer)),
    close: () => callback.close(),
  };
}
