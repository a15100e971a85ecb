// One end of an HTTP/2 connection that writes frames as it likes, byte by byte (RFC 9113, section 4; RFC 7541, 6.2.2).
import { once } from 'node:events';
import { connect as connectPlainly, type Socket } from 'node:net';
import { connect } from 'node:tls';
import { withBound } from './http-front.ts';

export const FRAME = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;
export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
export const END_STREAM = 0x1;
export const END_HEADERS = 0x4;

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

export class Http2Peer {
  readonly socket: Socket;
  readonly frames: Frame[] = [];
  #buffered = Buffer.alloc(0);

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      this.#take(chunk);
    });
  }

  /** Connects and says the preface, with settings of its own. */
  static async open(port: number, ca: string, settings: Buffer = Buffer.alloc(0)): Promise<Http2Peer> {
    const socket = connect({ port, host: '127.0.0.1', ca, ALPNProtocols: ['h2'] });
    const peer = new Http2Peer(socket);
    await withBound(once(socket, 'secureConnect'), () => 'no handshake');
    socket.write(Buffer.concat([PREFACE, frame(FRAME.settings, 0, 0, settings)]));
    return peer;
  }

  /** The same without TLS. */
  static async openPlain(port: number, settings: Buffer = Buffer.alloc(0)): Promise<Http2Peer> {
    const socket = connectPlainly({ port, host: '127.0.0.1' });
    const peer = new Http2Peer(socket);
    await withBound(once(socket, 'connect'), () => 'no connection');
    socket.write(Buffer.concat([PREFACE, frame(FRAME.settings, 0, 0, settings)]));
    return peer;
  }

  send(...frames: readonly Buffer[]): void {
    if (!this.socket.destroyed) this.socket.write(Buffer.concat(frames));
  }

  of(type: number): readonly Frame[] {
    return this.frames.filter((each) => each.type === type);
  }

  /** Error code of the GOAWAY that came, if one did. */
  get goaway(): number | undefined {
    return this.of(FRAME.goaway).at(-1)?.payload.readUInt32BE(4);
  }

  /** Resolves when the other end has closed the connection. */
  async closed(): Promise<void> {
    if (this.socket.closed) return;
    await withBound(
      new Promise((resolve) => this.socket.once('close', resolve)),
      () => `still open, having received ${this.frames.length} frames`,
    );
  }

  #take(chunk: Buffer): void {
    this.#buffered = Buffer.concat([this.#buffered, chunk]);
    while (this.#buffered.length >= 9) {
      const length = this.#buffered.readUIntBE(0, 3);
      if (this.#buffered.length < 9 + length) return;
      this.frames.push({
        type: this.#buffered[3] ?? 0,
        flags: this.#buffered[4] ?? 0,
        stream: this.#buffered.readUInt32BE(5) & 0x7fffffff,
        payload: this.#buffered.subarray(9, 9 + length),
      });
      this.#buffered = this.#buffered.subarray(9 + length);
    }
  }
}

export function frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** A header block whose fields are literals that no table remembers. */
export function block(fields: readonly (readonly [name: string, value: string])[]): Buffer {
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0x00]), text(name), text(value)]));
}

export function request(stream: number, fields: readonly (readonly [string, string])[] = [], flags = END_STREAM | END_HEADERS): Buffer {
  return frame(FRAME.headers, flags, stream, block([...GET, ...fields]));
}

export const GET: readonly (readonly [string, string])[] = [
  [':method', 'GET'],
  [':scheme', 'https'],
  [':authority', 'hello.localhost'],
  [':path', '/'],
];

/** A length with a prefix of 7 bits, then the bytes, not Huffman-coded. */
function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1');
  if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes]);
  const length = [127];
  let rest = bytes.length - 127;
  for (; rest >= 128; rest = Math.floor(rest / 128)) length.push((rest % 128) + 128);
  length.push(rest);
  return Buffer.concat([Buffer.from(length), bytes]);
}
