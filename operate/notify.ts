/**
 * Tells systemd that a service is ready, if it was started by systemd.
 *
 * @module
 * @see sd_notify(3)
 */

import { bytesOf, byteStringOf } from "../ffi/bytes.ts";
import { DatagramSender } from "../ffi/datagram.ts";

/** @param state Such as `READY=1`. */
export function notifyManager(
  state: string,
  env: Pick<typeof Deno.env, "get"> = Deno.env,
): void {
  const path = env.get("NOTIFY_SOCKET");
  if (path === undefined || path === "") return;
  const sender = new DatagramSender(path);
  sender.send(bytesOf(byteStringOf(state)));
  sender.close();
}
