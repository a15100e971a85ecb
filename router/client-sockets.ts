// All connections of clients that are open, within the caps.
import { type Socket } from 'node:net';
import { type Duplex } from 'node:stream';
import { LIMITS } from '../sdk/contract/limits.ts';
import { type Clock, type Timers } from '../sdk/support/clock.ts';
import { ClientConnection, peerAddress } from './client-connection.ts';
import { type LoadCaps } from './load-caps.ts';

/** Connections that are looked at to find an idle one when all places are taken. */
const LOOKED_AT_MAX = 200;
/** Idle for this long, a connection gives its place to one that is needed. */
const IDLE_ENOUGH_MS = 1_000;

export class ClientSockets {
  readonly #caps: LoadCaps;
  readonly #trustedProxies: ReadonlySet<string>;
  readonly #clock: Clock;
  readonly #timers: Timers;
  /** All that have a place, those among them that have not said hello yet. */
  readonly #admitted = new Set<Socket>();
  readonly #connections = new Map<Duplex, ClientConnection>();

  constructor(caps: LoadCaps, trustedProxies: ReadonlySet<string>, clock: Clock, timers: Timers) {
    this.#caps = caps;
    this.#trustedProxies = trustedProxies;
    this.#clock = clock;
    this.#timers = timers;
  }

  get size(): number {
    return this.#connections.size;
  }

  /** Takes a place for a connection that was accepted, until it closes; without one it is closed, and this is false. */
  admit(socket: Socket, kind: { readonly isPlatform: boolean }): boolean {
    const address = peerAddress(socket);
    if (this.#caps.isNearlyFull) this.#makeRoom();
    const load = this.#caps.connect(address, kind.isPlatform || this.#trustedProxies.has(address));
    if (!load) {
      socket.destroy();
      return false;
    }
    this.#admitted.add(socket);
    socket.once('close', () => {
      this.#admitted.delete(socket);
      this.#caps.disconnect(load);
    });
    return true;
  }

  /** A connection that has its place and may carry requests now; undefined when it has closed meanwhile. */
  open(socket: Socket, kind: { readonly isPlatform: boolean; readonly isTls: boolean }): ClientConnection | undefined {
    if (socket.destroyed) return undefined;
    const load = this.#caps.loadOf(peerAddress(socket));
    const connection = new ClientConnection(socket, this.#clock, this.#timers, { ...kind, load });
    this.#connections.set(socket, connection);
    socket.once('close', () => {
      this.#connections.delete(socket);
      connection.closed();
    });
    return connection;
  }

  of(socket: Duplex): ClientConnection | undefined {
    return this.#connections.get(socket);
  }

  /** Closes what has been idle for too long. */
  sweep(): void {
    const idleSinceMs = this.#clock.monotonicMs() - LIMITS.clientIdleMs;
    for (const connection of this.#connections.values()) if (connection.isIdleSince(idleSinceMs)) connection.socket.destroy();
  }

  destroy(): void {
    for (const socket of this.#connections.keys()) socket.destroy();
    for (const socket of this.#admitted) socket.destroy();
  }

  #makeRoom(): void {
    const idleSinceMs = this.#clock.monotonicMs() - IDLE_ENOUGH_MS;
    let lookedAt = 0;
    for (const [socket, connection] of this.#connections) {
      if (connection.isIdleSince(idleSinceMs)) {
        socket.destroy();
        return;
      }
      if (++lookedAt === LOOKED_AT_MAX) return;
      // To the back, so that the next look goes further.
      this.#connections.delete(socket);
      this.#connections.set(socket, connection);
    }
  }
}
