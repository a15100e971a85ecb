// HTTP that leaves an instance: a forward proxy on its egress.sock, for apps that know nothing of it. A request comes in
// absolute form, `GET https://example.com/x HTTP/1.1`; the broker does the TLS. Redirects, cookies and compression are the
// app's own client's business, so both bodies pass as they are, with back-pressure. Clients that do the TLS themselves, as
// those of other languages than Node do with a proxy, ask for a tunnel: `CONNECT example.com:443 HTTP/1.1` (tunnel.ts).
//
// A refusal of the platform carries X-Appengine-Fetch-Error with its code, which no target can send, and
// `{"error":{"code","message","mend","details"}}`.
// Read next: broker.ts; ../../languages/nodejs/egress.cjs for the other end.
import { chmod, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type Duplex, pipeline } from 'node:stream';
import { errorBody, PlatformError } from '../../../sdk/contract/errors.ts';
import { LIMITS } from '../../../sdk/contract/limits.ts';
import { type InstanceListener, SOCKET_MODE } from '../../api/instance-gateway.ts';
import { type ApiCaller } from '../../api/service-table.ts';
import { type QuotaGate, type UsageMeter } from '../../api/usage-meter.ts';
import { type FetchBroker } from './broker.ts';
import { fetchError } from './fetch-error.ts';
import { incomingHeaders, outgoingHeaders } from './fetch-headers.ts';
import { parseFetchTarget, parseTunnelTarget } from './fetch-target.ts';

const FETCH_ERROR_HEADER = 'X-Appengine-Fetch-Error';

const CONNECTED = 'HTTP/1.1 200 Connection established\r\n\r\n';
const NOTHING = Buffer.alloc(0);
const PRINTABLE = /^[\x20-\x7e]*$/;
const MEGACYCLES_PER_FETCH = 5;

export class EgressServer implements InstanceListener {
  readonly #path: string;
  readonly #appId: string;
  readonly #broker: FetchBroker;
  readonly #gate: QuotaGate;
  readonly #meter: UsageMeter;
  /** Connections that have been handed over to a tunnel, or wait for theirs: the server knows them no more. */
  readonly #tunnels = new Set<Duplex>();
  #server: Server | undefined;

  constructor(path: string, { appId }: ApiCaller, broker: FetchBroker, gate: QuotaGate, meter: UsageMeter) {
    this.#path = path;
    this.#appId = appId;
    this.#broker = broker;
    this.#gate = gate;
    this.#meter = meter;
  }

  async start(): Promise<void> {
    await rm(this.#path, { force: true });
    const server = createServer({
      maxHeaderSize: LIMITS.fetchRequestHeaderBytesMax + LIMITS.fetchUrlBytesMax,
      // An upload may take as long as its target does; the headers may not.
      requestTimeout: 0,
      headersTimeout: LIMITS.wireHalfFrameMs,
      keepAliveTimeout: LIMITS.egressIdleMs,
      insecureHTTPParser: false,
    });
    server.maxConnections = LIMITS.egressConnectionsMax;
    server.on('request', (request, response) => void this.#answer(request, response));
    server.on('connect', (request: IncomingMessage, socket: Duplex, head: Buffer) => void this.#tunnel(request, socket, head));
    server.on('upgrade', (_request: IncomingMessage, socket: Duplex) => {
      refuseRaw(socket, new PlatformError('FETCH_INVALID', 'upgrades (WebSocket) are not carried'));
    });
    server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      if (error.code === 'ECONNRESET' || !socket.writable) socket.destroy();
      else refuseRaw(socket, new PlatformError('FETCH_INVALID', `the request is malformed (${error.code ?? error.message})`));
    });
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.#path, resolve);
    });
    await chmod(this.#path, SOCKET_MODE);
  }

  async close(): Promise<void> {
    const server = this.#server;
    if (!server) return;
    this.#server = undefined;
    const stopped = new Promise<void>((resolve) => {
      server.close(() => {
        resolve();
      });
    });
    server.closeAllConnections();
    for (const socket of this.#tunnels) socket.destroy();
    await stopped;
  }

  /** Counts as one fetch, however many requests the app sends through it. */
  async #tunnel({ url = '' }: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on('error', () => undefined);
    this.#tunnels.add(socket);
    socket.once('close', () => this.#tunnels.delete(socket));
    try {
      this.#charge();
      const carry = await this.#broker.tunnel(this.#appId, parseTunnelTarget(url));
      if (!socket.destroyed) socket.write(CONNECTED);
      carry(socket, head);
    } catch (error) {
      refuseRaw(socket, fetchError(error, url.slice(0, 200)));
    }
  }

  /** Throws QUOTA_EXCEEDED. */
  #charge(): void {
    this.#gate.check(this.#appId, 'urlFetchCalls');
    this.#meter.add(this.#appId, { urlFetchCalls: 1, cpuMegacycles: MEGACYCLES_PER_FETCH });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', rawHeaders, url = '' } = request;
    const gone = new AbortController();
    response.once('close', () => {
      if (!response.writableFinished) gone.abort(new PlatformError('CANCELLED'));
    });
    // An app that ends in the middle of an upload is no error of ours.
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    try {
      this.#charge();
      if (method === 'TRACE') throw new PlatformError('FETCH_INVALID', `the method ${method} is not carried`);
      const target = parseFetchTarget(url);
      const answer = await this.#broker.open({
        appId: this.#appId,
        target,
        method,
        headers: outgoingHeaders(rawHeaders, { appId: this.#appId, namesApp: true }),
        body: hasBody(request) ? request : null,
        validateCertificate: true,
        signal: gone.signal,
      });
      // What the target says in words is for people, and may hold anything.
      const statusText = PRINTABLE.test(answer.statusText) ? answer.statusText : '';
      response.sendDate = false;
      try {
        response.writeHead(answer.status, statusText, incomingHeaders(answer.headers));
      } catch (error) {
        answer.body.destroy();
        throw error;
      }
      // Sends the head now, and as bytes: flushHeaders() would send it as UTF-8.
      response.write(NOTHING);
      pipeline(answer.body, response, (error) => {
        // Half an answer cannot be taken back: the app sees that it was cut off.
        if (error) response.destroy();
      });
    } catch (error) {
      refuse(request, response, fetchError(error, url.slice(0, 200)));
    }
  }
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

function refuse(request: IncomingMessage, response: ServerResponse, error: PlatformError): void {
  if (response.destroyed) return;
  const { status, headers, body } = refusal(error);
  response.writeHead(status, headers);
  response.end(body);
  if (request.complete) return;
  // So that the app, which may be writing still, gets to read the answer; what it goes on sending is not read for ever.
  let bytes = 0;
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > LIMITS.fetchRequestBytesMax) request.destroy();
  });
}

/** Where there is no response object: before a request was read, or after its connection was handed over. */
function refuseRaw(socket: Duplex, error: PlatformError): void {
  const { status, headers, body } = refusal(error);
  const lines = Object.entries({ ...headers, Connection: 'close' }).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.on('error', () => undefined);
  // Clients show of a refused tunnel no more than this line, so it names the code.
  socket.end(`HTTP/1.1 ${status} ${error.code}\r\n${lines.join('')}\r\n${body}`);
}

function refusal(error: PlatformError): { readonly status: number; readonly headers: Record<string, string>; readonly body: string } {
  const body = JSON.stringify({ error: errorBody(error) });
  return {
    status: error.row.httpStatus,
    headers: {
      'Content-Type': 'application/json',
      'Content-Length': String(Buffer.byteLength(body)),
      [FETCH_ERROR_HEADER]: error.code,
      // For clients that must say what went wrong before they have the body.
      'X-Appengine-Fetch-Reason': encodeURIComponent(error.message.slice(0, 500)),
    },
    body,
  };
}
