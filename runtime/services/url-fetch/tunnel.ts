// A tunnel (CONNECT), by which clients that speak TLS themselves reach https targets: bytes both ways, with back-pressure.
// The platform sees neither URLs nor headers in it, so what it can hold an app to is where the tunnel leads (the guard,
// before), that it carries TLS and nothing else, and how many bytes pass. Redirects come as new tunnels.
//
// States: greeting → carrying   the app's first two bytes are those of a TLS record
//         any → ended           either side closed, a limit was met, or nothing passed for too long
import { type Socket } from 'node:net';
import { type Duplex } from 'node:stream';
import { LIMITS } from '../../../sdk/contract/limits.ts';

/** A TLS record that begins a handshake: its type, then the major version. */
const TLS_GREETING = [0x16, 0x03];

export interface TunnelOptions {
  /** What the app sent together with its request. */
  readonly head: Buffer;
  /** Bytes that passed since it was told last: at each turn of the conversation, and at the end. */
  readonly onBytes: (bytes: number) => void;
  /** Once, when both sides are closed. */
  readonly onEnd: () => void;
}

export class Tunnel {
  readonly #app: Duplex;
  readonly #target: Socket;
  readonly #options: TunnelOptions;
  #greeted = 0;
  /** Who said something last; a turn begins when the app speaks after its target did. */
  #last: 'app' | 'target' = 'app';
  #sentInTurn = 0;
  #receivedInTurn = 0;
  #unreported = 0;
  #isEnded = false;

  /** Owns both sides from here on. `target` is connected. */
  constructor(app: Duplex, target: Socket, options: TunnelOptions) {
    this.#app = app;
    this.#target = target;
    this.#options = options;
  }

  start(): void {
    const app = this.#app;
    const target = this.#target;
    target.setTimeout(LIMITS.egressStallMs, () => {
      this.#onSilence();
    });
    app.on('data', (chunk: Buffer) => {
      this.#onSent(chunk);
    });
    target.on('data', (chunk: Buffer) => {
      this.#onReceived(chunk);
    });
    app.on('drain', () => target.resume());
    target.on('drain', () => app.resume());
    app.once('end', () => target.end());
    target.once('end', () => app.end());
    for (const side of [app, target]) {
      side.on('error', () => undefined);
      side.once('close', () => {
        this.#onClosed();
      });
    }
    // One of them may have gone away while the other was being connected.
    if (app.destroyed || target.destroyed) this.#onClosed();
    else if (this.#options.head.length > 0) this.#onSent(this.#options.head);
  }

  /** Cuts it off. */
  destroy(): void {
    this.#app.destroy();
    this.#target.destroy();
  }

  #onSent(chunk: Buffer): void {
    for (let index = 0; index < chunk.length && this.#greeted < TLS_GREETING.length; index++) {
      if (chunk[index] !== TLS_GREETING[this.#greeted]) {
        this.destroy();
        return;
      }
      this.#greeted++;
    }
    if (this.#last === 'target') {
      this.#last = 'app';
      this.#sentInTurn = 0;
      this.#receivedInTurn = 0;
      this.#report();
      this.#target.setTimeout(LIMITS.egressStallMs);
    }
    this.#unreported += chunk.length;
    this.#sentInTurn += chunk.length;
    if (this.#sentInTurn > LIMITS.egressTunnelSentBytesMax) this.destroy();
    else if (!this.#target.write(chunk)) this.#app.pause();
  }

  #onReceived(chunk: Buffer): void {
    if (this.#last === 'app') {
      this.#last = 'target';
      this.#target.setTimeout(LIMITS.egressIdleMs);
    }
    this.#unreported += chunk.length;
    this.#receivedInTurn += chunk.length;
    if (this.#receivedInTurn > LIMITS.egressTunnelReceivedBytesMax) this.destroy();
    else if (!this.#app.write(chunk)) this.#target.pause();
  }

  /** After the target's last word the app may be reading still; a tunnel that neither side uses is closed. */
  #onSilence(): void {
    if (this.#app.writableLength > 0 && this.#target.timeout !== LIMITS.egressStallMs) this.#target.setTimeout(LIMITS.egressStallMs);
    else this.destroy();
  }

  /** A side that is closed can neither be read nor told anything more; what it sent before has been passed on. */
  #onClosed(): void {
    const app = this.#app;
    const target = this.#target;
    if (app.destroyed && !target.destroyed) target.destroy();
    if (target.destroyed && !app.destroyed) {
      if (app.writableEnded && !app.writableFinished) app.once('finish', () => app.destroy());
      else app.destroy();
    }
    if (!app.destroyed || !target.destroyed || this.#isEnded) return;
    this.#isEnded = true;
    this.#report();
    this.#options.onEnd();
  }

  #report(): void {
    if (this.#unreported > 0) this.#options.onBytes(this.#unreported);
    this.#unreported = 0;
  }
}
