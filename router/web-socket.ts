// The mechanics of one WebSocket through http-proxy: connection to the instance, headers, two piped sockets.
// http-proxy alone is not enough: it notices a client that leaves early only after the upgrade, has no limits of
// time, and passes on an ordinary answer without back-pressure; all three are done here.
import { Agent, type ClientRequest, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { pipeline } from 'node:stream';
import { createProxyServer } from 'http-proxy';
import { PlatformError, type ErrorCode } from '../sdk/contract/errors.ts';
import { LIMITS } from '../sdk/contract/limits.ts';
import { type HeaderPolicy, type RequestFacts } from './header-policy.ts';
import { rawHead } from './raw-answer.ts';

export interface WebSocketRequest {
  readonly request: IncomingMessage;
  readonly client: Socket;
  /** What the client sent after the head. */
  readonly firstBytes: Buffer;
  readonly facts: RequestFacts;
  /** Path and query for the app. */
  readonly target: string;
}

const CONNECT_MS = 5_000;

/** Connects to an instance. Throws ROUTE_INSTANCE_FAILED; nothing was delivered then. */
export function connectTo(socketPath: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path: socketPath, timeout: CONNECT_MS });
    const fail = (cause?: Error): void => {
      socket.destroy();
      reject(new PlatformError('ROUTE_INSTANCE_FAILED', undefined, { cause }));
    };
    socket.once('error', fail).once('timeout', fail);
    socket.once('connect', () => {
      socket.setTimeout(0).off('error', fail).off('timeout', fail);
      resolve(socket);
    });
  });
}

export class WebSocketProxy {
  readonly #policy: HeaderPolicy;
  readonly #proxy = createProxyServer({ xfwd: false });

  constructor(policy: HeaderPolicy) {
    this.#policy = policy;
    // http-proxy reports a client's reset here too, and throws when nobody listens.
    this.#proxy.on('error', () => undefined);
  }

  /**
   * Sends the upgrade over `upstream` and pipes until either side ends; closes both sockets. Resolves when the client
   * is gone, with the status that it got, 0 for none. `refuse` writes the answer when the instance gives none.
   */
  forward(webSocket: WebSocketRequest, upstream: Socket, refuse: (code: ErrorCode) => void): Promise<number> {
    const { request, client, firstBytes, facts, target } = webSocket;
    const headers = this.#policy.forInstance(request.rawHeaders, facts);
    request.headers = { ...headerObject(headers), connection: 'Upgrade', upgrade: 'websocket' };
    request.url = target;
    // http-proxy writes the head as a string: an app's bytes above 127 must not come as UTF-8.
    client.setDefaultEncoding('latin1');
    return new Promise((resolve) => {
      let status = 0;
      let outgoing: ClientRequest | undefined;
      client.once('close', () => {
        outgoing?.destroy();
        upstream.destroy();
        resolve(status);
      });
      const fail = (code: ErrorCode): void => {
        if (status === 0) refuse(code);
        status ||= -1;
        client.destroySoon();
      };
      this.#proxy.once('proxyReqWs', (created) => {
        outgoing = created;
        // Before http-proxy's own listener, which writes what this leaves in `headers`.
        created.once('upgrade', (response) => {
          const head = this.#headOf(response);
          if (!head) {
            fail('ROUTE_BAD_RESPONSE');
            return;
          }
          status = 101;
          response.headers = { ...headerObject(head), connection: 'Upgrade', upgrade: 'websocket' };
        });
      });
      const options = { target: { socketPath: '', host: 'instance', port: 80 }, agent: new OneSocketAgent(upstream) };
      this.#proxy.ws(request, client, firstBytes, options, () => {
        fail('ROUTE_INSTANCE_FAILED');
      });
      client.setTimeout(LIMITS.webSocketIdleMs, () => client.destroy());
      outgoing?.removeAllListeners('response').once('response', (response) => {
        const head = this.#headOf(response);
        if (!head) {
          fail('ROUTE_BAD_RESPONSE');
          return;
        }
        status = response.statusCode ?? 0;
        client.write(rawHead(status, [...head, 'Connection', 'close']), 'latin1');
        pipeline(response, client, () => client.destroySoon());
      });
    });
  }

  #headOf(response: IncomingMessage): readonly string[] | undefined {
    try {
      return this.#policy.forClient(response.rawHeaders).headers;
    } catch {
      return undefined;
    }
  }
}

/** Gives http-proxy the connection that is open already, so that a failure to connect stays ours to handle. */
class OneSocketAgent extends Agent {
  readonly #socket: Socket;

  constructor(socket: Socket) {
    super({ keepAlive: false, maxSockets: 1 });
    this.#socket = socket;
  }

  override createConnection(): Socket {
    return this.#socket;
  }
}

/** Names and values in turn as an object; a name that comes twice has a list. */
function headerObject(headers: readonly string[]): Record<string, string | string[]> {
  const object: Record<string, string | string[]> = {};
  for (let index = 0; index + 1 < headers.length; index += 2) {
    const name = (headers[index] ?? '').toLowerCase();
    const value = headers[index + 1] ?? '';
    const before = Object.hasOwn(object, name) ? object[name] : undefined;
    object[name] = before === undefined ? value : [...(Array.isArray(before) ? before : [before]), value];
  }
  return object;
}
