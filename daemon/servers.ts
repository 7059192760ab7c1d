/**
 * The servers of one mount: the control socket, and metrics.
 *
 * @module
 */

import { type Complain, type MetricsAddress, serveMetrics } from "../observe/mod.ts";
import { ControlServer } from "./control_socket.ts";
import type { MountControl } from "./mount_control.ts";

/** The servers of one mount. What does not listen need not be closed, but may be. */
export class Servers {
  readonly #control: MountControl;
  readonly #socketPath: string;
  readonly #complain: Complain;
  #socket: ControlServer | undefined;
  #metrics: { close(): Promise<void> } | undefined;

  constructor(control: MountControl, socketPath: string, complain: Complain) {
    this.#control = control;
    this.#socketPath = socketPath;
    this.#complain = complain;
  }

  /** Listens at the control socket. */
  async listen(): Promise<void> {
    const handler = this.#control.answer.bind(this.#control);
    this.#socket = await ControlServer.listen(this.#socketPath, handler, this.#complain);
  }

  /** Serves metrics, if that is wanted. */
  async serveMetrics(address: MetricsAddress | undefined): Promise<void> {
    if (address === undefined) return;
    const status = () => this.#control.status();
    const { latencies } = this.#control;
    this.#metrics = await serveMetrics(address, { status, latencies, complain: this.#complain });
  }

  async closeControl(): Promise<void> {
    await this.#socket?.close();
  }

  async closeMetrics(): Promise<void> {
    await this.#metrics?.close();
  }
}
