/**
 * A file system that notices when a PostgreSQL server starts on it.
 *
 * @module
 */

import type { ByteString } from "../ffi/bytes.ts";
import { type Attributes, type NewNode, type Place, ROOT_INO } from "../fuse/mod.ts";
import { Overlay, type OverlayOptions } from "../overlay/mod.ts";

/** A server makes it before it opens anything else, each time that it starts. */
const PID_FILE = "postmaster.pid" as ByteString;
/** A server takes that long to be up. Its configuration files are on their way to us by then. */
const SETTLED_MS = 2000;

export class WatchedOverlay extends Overlay {
  #dueMs: number | undefined;

  /** @param onServer Told a moment after a server has started. */
  constructor(options: OverlayOptions, private readonly onServer: () => void) {
    super(options);
  }

  override makeNode(place: Place, node: NewNode): Attributes {
    const made = super.makeNode(place, node);
    if (place.parent === ROOT_INO && place.name === PID_FILE) {
      this.#dueMs = performance.now() + SETTLED_MS;
    }
    return made;
  }

  override deferredMs(): number | undefined {
    const ofOthersMs = super.deferredMs();
    if (this.#dueMs === undefined) return ofOthersMs;
    return Math.min(ofOthersMs ?? Infinity, Math.max(0, this.#dueMs - performance.now()));
  }

  override doDeferred(): void {
    if (this.#dueMs !== undefined && this.#dueMs <= performance.now()) {
      this.#dueMs = undefined;
      this.onServer();
    }
    if ((super.deferredMs() ?? Infinity) <= 0) super.doDeferred();
  }
}
