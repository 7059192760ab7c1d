/**
 * A port for the server of a clone.
 *
 * @module
 */

/** Not 5432: applications take what listens there for production. */
const FIRST = 5433;
const LAST = 5999;

/** Where servers of this machine usually have their sockets. */
const SOCKET_DIRECTORIES = ["/var/run/postgresql", "/tmp"];

/** The first port that nobody listens on, by TCP or by a socket; undefined if there is none. */
export function freePort(): number | undefined {
  for (let port = FIRST; port <= LAST; port++) {
    if (!hasSocket(port) && ["127.0.0.1", "::1"].every((host) => isFree(host, port))) return port;
  }
  return undefined;
}

function isFree(hostname: string, port: number): boolean {
  try {
    Deno.listen({ hostname, port }).close();
    return true;
  } catch (error) {
    // A machine may do without IPv6.
    return !(error instanceof Deno.errors.AddrInUse);
  }
}

function hasSocket(port: number): boolean {
  return SOCKET_DIRECTORIES.some((directory) => {
    try {
      Deno.lstatSync(`${directory}/.s.PGSQL.${port}`);
      return true;
    } catch {
      return false;
    }
  });
}
