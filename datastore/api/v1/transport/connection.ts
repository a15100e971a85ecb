// One connection of a client, whatever it speaks: how many calls it has under way, and since when none.
// Read next: grpc-session.ts and http-session.ts, which carry on the conversation.
import { type Socket } from 'node:net';
import { LIMITS } from '../../../../sdk/contract/limits.ts';

/** A connection once its protocol is known. */
export interface Conversation {
  /** No new calls; those under way are finished, then the connection closes. */
  end(): void;
  /** Ends what takes too long. About once a second. */
  sweep(nowMs: number): void;
}

export class V1Connection {
  readonly socket: Socket;
  /** Whether the peer is on this machine. */
  readonly isLocal: boolean;
  readonly #openedAtMs: number;
  readonly #idleMs: number;
  #conversation: Conversation | undefined;
  #calls = 0;
  #idleSinceMs: number;

  /** `nowMs` is monotonic, here and below. */
  constructor(socket: Socket, nowMs: number, options: { readonly isLocal: boolean; readonly idleMs: number }) {
    this.socket = socket;
    this.isLocal = options.isLocal;
    this.#openedAtMs = nowMs;
    this.#idleSinceMs = nowMs;
    this.#idleMs = options.idleMs;
  }

  /** Under way. */
  get calls(): number {
    return this.#calls;
  }

  /** Since when it has no call under way. */
  get idleSinceMs(): number | undefined {
    return this.#calls === 0 ? this.#idleSinceMs : undefined;
  }

  begin(conversation: Conversation): void {
    this.#conversation = conversation;
  }

  /** The head of a call has come. */
  opened(): void {
    this.#calls++;
  }

  answered(nowMs: number): void {
    this.#calls--;
    if (this.#calls === 0) this.#idleSinceMs = nowMs;
  }

  end(): void {
    if (this.#conversation) this.#conversation.end();
    else this.socket.destroy();
  }

  sweep(nowMs: number): void {
    if (this.#conversation === undefined) {
      // It has as long for its first bytes as for a head.
      if (nowMs - this.#openedAtMs > LIMITS.requestHeaderMs) this.socket.destroy();
      return;
    }
    this.#conversation.sweep(nowMs);
    if (this.#calls === 0 && nowMs - this.#idleSinceMs > this.#idleMs) this.#conversation.end();
  }
}
