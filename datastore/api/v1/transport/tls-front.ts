// TLS before everything else: for a port that other machines reach, so that tokens cross no network in clear text. Node's own server,
// which is handed connections and gives them back to be read, decrypted, from their first byte on.
// Read next: server.ts.
import { type Socket } from 'node:net';
import { createServer, type SecureContextOptions, type Server, type TLSSocket } from 'node:tls';
import { LIMITS } from '../../../../sdk/contract/limits.ts';
import { type V1Connection } from './connection.ts';
import { type Protocol } from './first-bytes.ts';

/** The certificate in use. */
export interface V1Certificates {
  load(): Promise<SecureContextOptions>;
  /** Calls back when there is another one; connections that are open keep theirs. Returns what ends that. */
  watch(onChange: (context: SecureContextOptions) => void): () => void;
}

const OPTIONS = {
  // Versions below have known breaks (RFC 8996).
  minVersion: 'TLSv1.2',
  // What speaks both is a client of HTTP, which HTTP/1.1 serves; those of gRPC offer HTTP/2 alone.
  ALPNProtocols: ['http/1.1', 'h2'],
  honorCipherOrder: true,
  handshakeTimeout: LIMITS.requestHeaderMs,
} as const;

export class TlsFront {
  readonly #server: Server;
  readonly #unwatch: () => void;
  /** Connections before the end of their handshake, by peer. */
  readonly #shaking = new Map<string, V1Connection>();

  /** `onSecure`: what is read from `socket` and written to it is in clear; `connection` was the same one. */
  private constructor(
    context: SecureContextOptions,
    certificates: V1Certificates,
    onSecure: (socket: TLSSocket, connection: V1Connection) => void,
  ) {
    this.#server = createServer({ ...OPTIONS, ...context }, (socket) => {
      const connection = this.#shaking.get(peerOf(socket));
      this.#shaking.delete(peerOf(socket));
      if (connection) onSecure(socket, connection);
      else socket.destroy();
    });
    // Who cannot shake hands is closed by the server itself.
    this.#server.on('tlsClientError', () => undefined);
    this.#unwatch = certificates.watch((changed) => {
      this.#server.setSecureContext({ ...OPTIONS, ...changed });
    });
  }

  /** Throws TLS_CERTIFICATE_INVALID. */
  static async open(certificates: V1Certificates, onSecure: (socket: TLSSocket, connection: V1Connection) => void): Promise<TlsFront> {
    return new TlsFront(await certificates.load(), certificates, onSecure);
  }

  take(connection: V1Connection): void {
    const { socket } = connection;
    const peer = peerOf(socket);
    this.#shaking.set(peer, connection);
    socket.once('close', () => {
      if (this.#shaking.get(peer) === connection) this.#shaking.delete(peer);
    });
    this.#server.emit('connection', socket);
  }

  close(): void {
    this.#unwatch();
  }
}

/** Whether a connection may go on as it began: on a port with TLS, in clear only if it comes from this machine. */
export function isAdmitted(protocol: Protocol, { hasTls, isLocal }: { readonly hasTls: boolean; readonly isLocal: boolean }): boolean {
  return !hasTls || isLocal || protocol === 'tls';
}

/** For HTTP/1; those of HTTP/2 read nothing before their own protocol has begun. */
export const TLS_WANTED =
  'HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 57\r\n\r\n' +
  'This port speaks TLS to other machines: call it by https\n';

function peerOf({ remoteAddress, remotePort }: Pick<Socket, 'remoteAddress' | 'remotePort'>): string {
  return `${remoteAddress ?? ''} ${remotePort ?? 0}`;
}
