/**
 * The functions of libfuse3's low-level API that we call.
 *
 * @module
 */

import { PbkfsError } from "../errors.ts";
import { type Functions, tryOpenLibrary } from "./library.ts";

const SYMBOLS = {
  // struct fuse_session *fuse_session_new(struct fuse_args *args,
  //     const struct fuse_lowlevel_ops *op, size_t op_size, void *userdata)
  fuse_session_new: { parameters: ["usize", "usize", "usize", "usize"], result: "usize" },
  // int fuse_session_mount(struct fuse_session *se, const char *mountpoint)
  fuse_session_mount: { parameters: ["usize", "buffer"], result: "i32" },
  // void fuse_session_unmount(struct fuse_session *se)
  fuse_session_unmount: { parameters: ["usize"], result: "void" },
  // void fuse_session_destroy(struct fuse_session *se)
  fuse_session_destroy: { parameters: ["usize"], result: "void" },
  // int fuse_session_fd(struct fuse_session *se)
  fuse_session_fd: { parameters: ["usize"], result: "i32" },
  // int fuse_session_exited(struct fuse_session *se)
  fuse_session_exited: { parameters: ["usize"], result: "i32" },
  // int fuse_session_receive_buf(struct fuse_session *se, struct fuse_buf *buf)
  fuse_session_receive_buf: { parameters: ["usize", "usize"], result: "i32" },
  // void fuse_session_process_buf(struct fuse_session *se, const struct fuse_buf *buf)
  fuse_session_process_buf: { parameters: ["usize", "usize"], result: "void" },
  // const char *fuse_pkgversion(void)
  fuse_pkgversion: { parameters: [], result: "pointer" },
  // const struct fuse_ctx *fuse_req_ctx(fuse_req_t req)
  fuse_req_ctx: { parameters: ["usize"], result: "usize" },
  // int fuse_reply_err(fuse_req_t req, int err)
  fuse_reply_err: { parameters: ["usize", "i32"], result: "i32" },
  // void fuse_reply_none(fuse_req_t req)
  fuse_reply_none: { parameters: ["usize"], result: "void" },
  // int fuse_reply_entry(fuse_req_t req, const struct fuse_entry_param *e)
  fuse_reply_entry: { parameters: ["usize", "usize"], result: "i32" },
  // int fuse_reply_create(fuse_req_t req, const struct fuse_entry_param *e,
  //     const struct fuse_file_info *fi)
  fuse_reply_create: { parameters: ["usize", "usize", "usize"], result: "i32" },
  // int fuse_reply_attr(fuse_req_t req, const struct stat *attr, double attr_timeout)
  fuse_reply_attr: { parameters: ["usize", "usize", "f64"], result: "i32" },
  // int fuse_reply_readlink(fuse_req_t req, const char *link)
  fuse_reply_readlink: { parameters: ["usize", "buffer"], result: "i32" },
  // int fuse_reply_open(fuse_req_t req, const struct fuse_file_info *fi)
  fuse_reply_open: { parameters: ["usize", "usize"], result: "i32" },
  // int fuse_reply_write(fuse_req_t req, size_t count)
  fuse_reply_write: { parameters: ["usize", "usize"], result: "i32" },
  // int fuse_reply_buf(fuse_req_t req, const char *buf, size_t size)
  fuse_reply_buf: { parameters: ["usize", "usize", "usize"], result: "i32" },
  // int fuse_reply_lseek(fuse_req_t req, off_t off)
  fuse_reply_lseek: { parameters: ["usize", "i64"], result: "i32" },
  // int fuse_reply_statfs(fuse_req_t req, const struct statvfs *stbuf)
  fuse_reply_statfs: { parameters: ["usize", "usize"], result: "i32" },
  // int fuse_reply_xattr(fuse_req_t req, size_t count)
  fuse_reply_xattr: { parameters: ["usize", "usize"], result: "i32" },
  // int fuse_lowlevel_notify_inval_inode(struct fuse_session *se, fuse_ino_t ino, off_t off,
  //     off_t len)
  fuse_lowlevel_notify_inval_inode: {
    parameters: ["usize", "usize", "i64", "i64"],
    result: "i32",
  },
  // size_t fuse_add_direntry(fuse_req_t req, char *buf, size_t bufsize, const char *name,
  //     const struct stat *stbuf, off_t off)
  fuse_add_direntry: {
    parameters: ["usize", "usize", "usize", "buffer", "usize", "i64"],
    result: "usize",
  },
  // size_t fuse_add_direntry_plus(fuse_req_t req, char *buf, size_t bufsize, const char *name,
  //     const struct fuse_entry_param *e, off_t off)
  fuse_add_direntry_plus: {
    parameters: ["usize", "usize", "usize", "buffer", "usize", "i64"],
    result: "usize",
  },
} as const satisfies Deno.ForeignLibraryInterface;

/** libfuse's functions, by their C names. */
export type Libfuse = Functions<typeof SYMBOLS>;

/** 3.10 to 3.16 call themselves `.so.3`; from 3.17 on it is `.so.4`. */
const NAMES = ["libfuse3.so.4", "libfuse3.so.3"];

const opened = new Map<string, Libfuse>();

/**
 * libfuse3, opened at the first call in each thread.
 *
 * @param names Files to try, in this order; a test passes others.
 * @throws {PbkfsError} `LibraryMissing`.
 */
export function libfuse(names: readonly string[] = NAMES): Libfuse {
  const key = names.join();
  const known = opened.get(key);
  if (known !== undefined) return known;
  const found = tryOpenLibrary(names, SYMBOLS);
  if ("reason" in found) {
    throw new PbkfsError("LibraryMissing", {
      what: `Cannot open libfuse3 (${names.join(", ")}): ${found.reason}`,
      todo: "Install it: apt-get install fuse3 libfuse3-3 (libfuse3-4 on newer systems).",
    });
  }
  opened.set(key, found.functions);
  return found.functions;
}

/** The version of the library that is loaded, such as `3.14.0`. */
export function libfuseVersion(library: Libfuse): string {
  const pointer = library.fuse_pkgversion();
  return pointer === null ? "unknown" : Deno.UnsafePointerView.getCString(pointer);
}
