/**
 * The user whose rights this process works with.
 *
 * A process that root starts can act for another user: the kernel then lets it do with files what
 * that user may do, and no more. It keeps the way back for single calls, such as mount(2), which
 * one thread makes as root while all others go on as the user.
 *
 * @module
 */

import { ERRNO, errnoName, PbkfsError } from "../errors.ts";
import { type Functions, openLibrary } from "./library.ts";
import { allocate, borrow, toAddress } from "./memory.ts";

/** A user, as the kernel sees one. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
  /** All groups, `gid` among them. */
  readonly groups: readonly number[];
}

const SYMBOLS = {
  // int setgroups(size_t size, const gid_t *list)
  setgroups: { parameters: ["usize", "usize"], result: "i32" },
  // int setresgid(gid_t rgid, gid_t egid, gid_t sgid)
  setresgid: { parameters: ["u32", "u32", "u32"], result: "i32" },
  // int setresuid(uid_t ruid, uid_t euid, uid_t suid)
  setresuid: { parameters: ["u32", "u32", "u32"], result: "i32" },
  // int getresuid(uid_t *ruid, uid_t *euid, uid_t *suid)
  getresuid: { parameters: ["usize", "usize", "usize"], result: "i32" },
  // long syscall(long number, ...)
  syscall: { parameters: ["i64", "u64", "u64", "u64"], result: "i64" },
  // struct passwd *getpwuid(uid_t uid)
  getpwuid: { parameters: ["u32"], result: "pointer" },
  // int getgrouplist(const char *user, gid_t group, gid_t *groups, int *count)
  getgrouplist: { parameters: ["usize", "u32", "usize", "usize"], result: "i32" },
  // int *__errno_location(void)
  __errno_location: { parameters: [], result: "pointer" },
} as const satisfies Deno.ForeignLibraryInterface;

/** setresuid(2) itself: the function of the C library changes all threads. */
const SYS_SETRESUID = Deno.build.arch === "aarch64" ? 147 : 117;
/** For an id that is to stay as it is. */
const UNCHANGED = 0xffff_ffff;
/** The limit of Linux. */
const GROUPS_MAX = 65_536;
const ROOT = 0;

let opened: Functions<typeof SYMBOLS> | undefined;
/** Opened at the first call in each thread. */
const libc = () => opened ??= openLibrary(["libc.so.6"], SYMBOLS);

/** The account of a user: with the groups that the system's user database gives it. */
export function accountOf({ uid, gid }: { readonly uid: number; readonly gid: number }): Account {
  const { getpwuid, getgrouplist } = libc();
  const entry = getpwuid(uid);
  if (entry === null) return { uid, gid, groups: [gid] };
  // `struct passwd` begins with the name. Source: pwd.h.
  const name = new Deno.UnsafePointerView(entry).getBigUint64(0);
  const groups = allocate(GROUPS_MAX * 4);
  const count = allocate(4);
  count.view.setInt32(0, GROUPS_MAX, true);
  if (getgrouplist(Number(name), gid, groups.address, count.address) < 0) {
    return { uid, gid, groups: [gid] };
  }
  const found = Array.from(
    { length: count.view.getInt32(0, true) },
    (_, index) => groups.view.getUint32(index * 4, true),
  );
  return { uid, gid, groups: found };
}

/**
 * From now on all threads of this process, and those that it starts, have the rights of `account`.
 * Only {@link asRoot} can still do more. Processes that it starts cannot.
 *
 * @throws {PbkfsError} `Io` with EPERM if this process is not root's; `PermissionDenied` if it would
 * keep more rights than that.
 */
export function actAs({ uid, gid, groups }: Account): void {
  const { setgroups, setresgid, setresuid, __errno_location } = libc();
  const errno = new Int32Array(borrow(toAddress(__errno_location()), 4).buffer);
  const list = allocate(Math.max(1, groups.length) * 4);
  groups.forEach((group, index) => list.view.setUint32(index * 4, group, true));
  const check = (result: number, call: string) => {
    if (result >= 0) return;
    const number = errno[0] || ERRNO.EPERM;
    throw new PbkfsError("Io", {
      what: `${call} for user ${uid} failed with ${errnoName(number)}`,
      todo: "A container needs the capabilities SETUID and SETGID for it; or mount as that user.",
      errno: number,
    });
  };
  check(setgroups(groups.length, list.address), "setgroups");
  check(setresgid(gid, gid, gid), "setresgid");
  // The real id is the user's, so that the user's programs may look whether we are alive.
  check(setresuid(uid, uid, ROOT), "setresuid");
  mustHaveNoCapabilities(uid);
}

/** They go with the user id, unless whoever started us has set securebits(7) against that. */
function mustHaveNoCapabilities(uid: number): void {
  const effective = /^CapEff:\s*(\w+)$/m.exec(Deno.readTextFileSync("/proc/self/status"))?.[1];
  if (effective !== undefined && /^0+$/.test(effective)) return;
  throw new PbkfsError("PermissionDenied", {
    what: `This process acts for user ${uid}, but has kept capabilities: ${effective}`,
    todo: "Start it without the secure bit no-setuid-fixup, or mount as that user.",
  });
}

/** Whether this process acts for another user, and {@link asRoot} can do more than that user. */
export function hasRootBehind(): boolean {
  const ids = allocate(12);
  libc().getresuid(ids.address, ids.address + 4, ids.address + 8);
  return ids.view.getUint32(4, true) !== ROOT && ids.view.getUint32(8, true) === ROOT;
}

/** Whether this process is root's, be it acting for another user. */
export function isRootBehind(): boolean {
  return Deno.uid() === ROOT || hasRootBehind();
}

/**
 * Does what only root may. Only this thread is root meanwhile, so `body` must not hand work to
 * others, as everything asynchronous does. Without root behind, it is simply called.
 */
export function asRoot<T>(body: () => T): T {
  if (!hasRootBehind()) return body();
  const user = Deno.uid() as number;
  const { syscall } = libc();
  const change = (uid: number) => {
    if (Number(syscall(SYS_SETRESUID, UNCHANGED, uid, UNCHANGED)) === 0) return;
    throw new PbkfsError("Bug", { what: `Cannot change this thread's user to ${uid}` });
  };
  change(ROOT);
  try {
    return body();
  } finally {
    change(user);
  }
}
