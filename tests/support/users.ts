/**
 * Who runs what in the tests. A server does not run as root, so when the tests do, they need an
 * ordinary user as well.
 *
 * @module
 */

import { commandAs, type Identity, isRoot } from "../../postgres/mod.ts";

export { commandAs, isRoot };
export type { Identity };

/** `postgres` where there is one, `nobody` elsewhere; ourselves if we are not root. */
export function ordinaryUser(): Identity {
  if (!isRoot()) return { uid: Deno.uid() ?? 0, gid: Deno.gid() ?? 0 };
  const users = new Map(
    Deno.readTextFileSync("/etc/passwd").split("\n").map((line) => {
      const [name = "", , uid, gid] = line.split(":");
      return [name, { uid: Number(uid), gid: Number(gid) }];
    }),
  );
  return users.get("postgres") ?? users.get("nobody") ?? { uid: 65534, gid: 65534 };
}
