/**
 * A connection as a stream of Node, for libraries that want one.
 *
 * @module
 */

import { Duplex } from "node:stream";

const CHUNK_BYTES = 4096;

/** The connection is closed with the stream. What is read or written later fails, as an event. */
export function connectionStream(connection: Deno.Conn): Duplex {
  return new Duplex({
    allowHalfOpen: false,
    async read() {
      const bytes = new Uint8Array(CHUNK_BYTES);
      try {
        const size = await connection.read(bytes);
        this.push(size === null ? null : bytes.subarray(0, size));
      } catch (error) {
        this.destroy(error as Error);
      }
    },
    async write(chunk: Uint8Array, _encoding, done) {
      try {
        for (let at = 0; at < chunk.length;) at += await connection.write(chunk.subarray(at));
        done();
      } catch (error) {
        done(error as Error);
      }
    },
    destroy(error, done) {
      try {
        connection.close();
      } catch {
        // It has been closed from the other side of the code.
      }
      done(error);
    },
  });
}
