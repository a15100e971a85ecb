// HTTP/1 before the calls: Node's own server, which is handed connections. A request is routed, then it is decided who asks, then its body is
// read; the answer has the form of the request.
// Read next: http-route.ts, http-origin.ts and http-body.ts for these steps; calls.ts.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { type Duplex } from 'node:stream';
import { closeAfterReading } from '../../../../sdk/support/lingering-close.ts';
import { assertNever } from '../../../../sdk/support/assert.ts';
import { type Clock, type Timers } from '../../../../sdk/support/clock.ts';
import { PlatformError, toPlatformError } from '../../../../sdk/contract/errors.ts';
import { LIMITS } from '../../../../sdk/contract/limits.ts';
import { type V1Calls } from './calls.ts';
import { type V1Connection } from './connection.ts';
import { readBody } from './http-body.ts';
import { type ListensAt, pageSign } from './http-origin.ts';
import { HttpReply, refusalBytes } from './http-reply.ts';
import { routeOf, type Route } from './http-route.ts';
import { HttpSession } from './http-session.ts';
import { type V1Identity } from './identity.ts';
import { type V1PortLimits } from './port-limits.ts';
import { withProject } from './project-field.ts';
import { UnreadAnswers } from './unread-answers.ts';

/** What an emulator does besides the API. What is absent is refused with words that name the flags. */
export interface V1Surface {
  /** Forgets all data. Throws PlatformError. */
  readonly reset?: () => Promise<void>;
  /** Called once the answer has gone out. */
  readonly shutdown?: () => void;
}

export interface HttpFrontOptions {
  readonly limits: V1PortLimits;
  readonly surface: V1Surface;
}

type CallRoute = Extract<Route, { readonly kind: 'call' }>;

export class HttpFront {
  readonly #calls: V1Calls;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #limits: V1PortLimits;
  readonly #surface: V1Surface;
  readonly #server: Server;
  readonly #sessions = new WeakMap<Socket, HttpSession>();
  readonly #unread = new WeakMap<Socket, UnreadAnswers>();
  #listensAt: ListensAt = { listen: '', isOpenToNetwork: false };
  #isEnding = false;

  constructor(calls: V1Calls, clock: Clock, timers: Timers, { limits, surface }: HttpFrontOptions) {
    this.#calls = calls;
    this.#clock = clock;
    this.#timers = timers;
    this.#limits = limits;
    this.#surface = surface;
    // Times are the sessions' business: Node's own count only for servers that listen themselves.
    const server = createServer({
      insecureHTTPParser: false,
      requireHostHeader: false,
      maxHeaderSize: LIMITS.requestHeaderBytesMax,
      keepAliveTimeout: 0,
    });
    server.maxHeadersCount = LIMITS.requestHeadersMax;
    server.on('request', (request, response) => void this.#serve(request, response));
    server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      this.#refuseMalformed(error, socket);
    });
    this.#server = server;
  }

  listens(at: ListensAt): void {
    this.#listensAt = at;
  }

  take(connection: V1Connection): void {
    const session = new HttpSession(connection, this.#clock.monotonicMs(), { readMs: this.#limits.bodyMs });
    connection.begin(session);
    this.#sessions.set(connection.socket, session);
    this.#unread.set(connection.socket, new UnreadAnswers(this.#calls, connection.socket));
    this.#server.emit('connection', connection.socket);
    connection.socket.resume();
  }

  /** From now on each answer is the last of its connection. */
  end(): void {
    this.#isEnding = true;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const session = this.#sessions.get(request.socket);
    if (!session) {
      request.socket.destroy();
      return;
    }
    const reply = new HttpReply(request, response, this.#timers);
    session.opened(request);
    response.once('close', () => {
      session.answered(this.#clock.monotonicMs());
    });
    if (this.#isEnding) reply.isLast = true;
    try {
      await this.#answer(request, reply, session);
    } catch (thrown) {
      reply.refuse(toPlatformError(thrown));
    }
  }

  async #answer(request: IncomingMessage, reply: HttpReply, session: HttpSession): Promise<void> {
    const route = routeOf(request.method ?? '', request.url ?? '');
    const { headers, socket } = request;
    const { connection } = session;
    if (connection.calls > this.#limits.callsPerConnectionMax) throw new PlatformError('RPC_OVERLOADED', 'too many requests are pipelined');
    const identify = (): Promise<V1Identity> => this.#calls.identify({ authorization: headers.authorization, isLocal: connection.isLocal });
    const sign = pageSign(headers, { ...this.#listensAt, local: socket.localAddress ?? '' });
    // A unix socket, which no page reaches, has no address; whoever made it says that its callers are proven.
    if (sign !== undefined && !(await identify()).isProven) throw new PlatformError('V1_WEB_PAGE_REFUSED', sign);
    switch (route.kind) {
      case 'health':
        reply.text(200, 'Ok\n');
        return;
      case 'not-found':
        reply.text(404, 'Not Found\n');
        return;
      case 'not-allowed':
        reply.response.setHeader('allow', route.allow);
        throw new PlatformError('ROUTE_METHOD_NOT_ALLOWED');
      case 'reset':
        this.#allow('reset', await identify(), connection);
        await this.#calls.attempt('reset', () => this.#surface.reset?.());
        reply.text(200, 'Reset\n');
        return;
      case 'shutdown':
        this.#allow('shutdown', await identify(), connection);
        reply.isLast = true;
        reply.response.once('close', () => this.#surface.shutdown?.());
        reply.text(200, 'Shutting down\n');
        return;
      case 'call':
        await this.#call(route, request, reply, session, await identify());
        return;
      default:
        assertNever(route);
    }
  }

  /** Node's parser could not read what came, and reads no more of this connection. Good requests before it are answered first. */
  #refuseMalformed({ code }: NodeJS.ErrnoException, socket: Duplex): void {
    if (!(socket instanceof Socket) || socket.destroyed) return;
    const isTooLong = code === 'HPE_HEADER_OVERFLOW';
    const refusal = refusalBytes(new PlatformError(isTooLong ? 'ROUTE_HEADERS_TOO_LARGE' : 'ROUTE_BAD_REQUEST'));
    const refuse = (): void => {
      if (socket.destroyed || socket.writableEnded) return;
      socket.write(refusal);
      closeAfterReading(socket, this.#timers);
    };
    const session = this.#sessions.get(socket);
    if (session?.isWhole) session.whenIdle(refuse);
    else refuse();
  }

  #allow(what: keyof V1Surface, identity: V1Identity, connection: V1Connection): void {
    if (!connection.isLocal) throw new PlatformError('V1_SURFACE_REFUSED', `POST /${what} is answered on this machine alone`);
    if (identity.isOperator !== true)
      throw new PlatformError('V1_SURFACE_REFUSED', `POST /${what} is not for who may reach only some apps`);
    if (!this.#surface[what])
      throw new PlatformError('V1_SURFACE_REFUSED', `POST /${what} needs --ephemeral or --allow-reset at its start`);
  }

  async #call(route: CallRoute, request: IncomingMessage, reply: HttpReply, session: HttpSession, identity: V1Identity): Promise<void> {
    const { method, projectId, enumAsInteger } = route;
    const isJson = reply.form === 'json';
    if (reply.form === undefined) {
      const shown = JSON.stringify((request.headers['content-type'] ?? '').slice(0, 100));
      throw new PlatformError('V1_MEDIA_TYPE', `Content-Type ${shown}; want application/x-protobuf or application/json`);
    }
    const gone = session.newCall();
    reply.response.once('close', () => {
      session.endCall(gone);
    });
    const { requestBytesMax, jsonBytesMax, bodyMs } = this.#limits;
    const body = await readBody(request, this.#calls, this.#timers, { bytesMax: isJson ? jsonBytesMax : requestBytesMax, ms: bodyMs });
    try {
      const json = isJson ? await import('./json-messages.ts') : undefined;
      const message = await this.#calls.attempt(method, () =>
        json ? json.requestOfJson(method, body.bytes, projectId) : withProject(body.bytes, projectId),
      );
      if (message.length > requestBytesMax)
        throw new PlatformError('V1_REQUEST_TOO_LARGE', `at most ${requestBytesMax} bytes as a message`);
      const answer = await this.#calls.run(method, message, identity, { signal: gone.signal });
      const text = json && (await this.#calls.attempt(method, () => json.jsonOfAnswer(method, answer, { enumAsInteger })));
      const bytes = text === undefined ? answer : Buffer.from(text);
      this.#unread.get(request.socket)?.add(reply.response, bytes.length);
      reply.message(bytes);
    } finally {
      body.release();
    }
  }
}
