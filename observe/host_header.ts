/**
 * Against DNS rebinding: a page in somebody's browser may have a name that now leads to this
 * machine, and would be let read what it fetches from its own name. The browser tells the name.
 *
 * @module
 */

import { isIP } from "node:net";

/**
 * Whether a request is for us: by address, as `localhost`, by this machine's name, or by the name
 * that we listen on.
 *
 * @param header `Host`; undefined from programs of the time before there was one, never a browser.
 * @param listensOn The name or address that was given.
 */
export function mayAsk(
  header: string | undefined,
  listensOn: string,
  machine = Deno.hostname(),
): boolean {
  if (header === undefined) return true;
  const found = /^(?:\[([^\]]*)\]|([^:]*))(?::\d*)?$/.exec(header.toLowerCase());
  if (found === null) return false;
  const name = (found[1] ?? found[2] ?? "").replace(/\.$/, "");
  return isIP(name) !== 0 || name === "localhost" || name === listensOn.toLowerCase() ||
    name === machine.toLowerCase();
}
