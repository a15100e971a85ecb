// The one way out for apps: one request in, one answer out, to addresses that the guard lets pass. Both front doors use
// it: fetch-service.ts (api.sock) and egress-server.ts (egress.sock). It never follows a redirect; who does comes back here
// with each hop. It must not know who asks in which form.
import { type Socket } from 'node:net';
import { type Duplex, finished, type Readable } from 'node:stream';
import { Agent } from 'undici';
import { PlatformError } from '../../../sdk/contract/errors.ts';
import { LIMITS } from '../../../sdk/contract/limits.ts';
import { type Cancel, type Timers } from '../../../sdk/support/clock.ts';
import { type UsageMeter } from '../../api/usage-meter.ts';
import { type AddressRules } from './address-guard.ts';
import { CountedBody } from './counted-body.ts';
import { fetchError } from './fetch-error.ts';
import { headerOf } from './fetch-headers.ts';
import { type FetchTarget } from './fetch-target.ts';
import { guardedConnector, type Resolver } from './guarded-connector.ts';
import { OpenFetches } from './open-fetches.ts';
import { Tunnel } from './tunnel.ts';

export interface FetchRequest {
  readonly appId: string;
  readonly target: FetchTarget;
  readonly method: string;
  /** Names and values in turn, as outgoingHeaders makes them. */
  readonly headers: readonly string[];
  readonly body: Readable | Uint8Array | null;
  readonly validateCertificate: boolean;
  readonly signal: AbortSignal;
  /** Whether an answer that announces more than the limit is opened all the same, by who reads only its beginning. */
  readonly opensAnyLength?: boolean;
}

export interface FetchAnswer {
  readonly status: number;
  readonly statusText: string;
  /** Names and values in turn, as they came. */
  readonly headers: readonly string[];
  /** Must be read to its end or destroyed: until then the request counts as open. Fails with FETCH_TOO_LARGE beyond the limit. */
  readonly body: Readable;
}

export interface FetchBrokerOptions {
  /** Certificate authorities trusted besides the known ones; PEM. */
  readonly authorities?: readonly string[];
}

/** Connections of an app, kept for its next request. Not shared: no app meets another's connection. */
interface AppAgents {
  readonly validating: Agent;
  readonly trusting: Agent;
  /** Set while the app has no open request. */
  cancelIdle: Cancel | undefined;
}

export class FetchBroker {
  readonly #resolve: Resolver;
  readonly #rules: AddressRules;
  readonly #meter: UsageMeter;
  readonly #timers: Timers;
  readonly #options: FetchBrokerOptions;
  readonly #open = new OpenFetches();
  readonly #agents = new Map<string, AppAgents>();
  readonly #tunnels = new Set<Tunnel>();
  #closed = false;

  constructor(resolve: Resolver, rules: AddressRules, meter: UsageMeter, timers: Timers, options: FetchBrokerOptions = {}) {
    this.#resolve = resolve;
    this.#rules = rules;
    this.#meter = meter;
    this.#timers = timers;
    this.#options = options;
  }

  /** Throws FETCH_* and RPC_OVERLOADED. Resolves when the target's headers are there. */
  async open(request: FetchRequest): Promise<FetchAnswer> {
    const { appId, target, method, body, signal, validateCertificate } = request;
    if (this.#closed) throw new PlatformError('FETCH_FAILED', 'the platform is stopping');
    const leave = this.#open.enter(appId);
    const sent = isStream(body) ? new CountedBody(LIMITS.fetchRequestBytesMax, requestTooLarge) : undefined;
    const end = (receivedBytes: number): void => {
      leave();
      const sentBytes = sent?.bytes ?? (isStream(body) ? 0 : (body?.byteLength ?? 0));
      this.#meter.add(appId, { urlFetchBytes: sentBytes + receivedBytes });
      this.#forgetIdle(appId);
    };
    try {
      if (body !== null && !isStream(body) && body.byteLength > LIMITS.fetchRequestBytesMax) throw requestTooLarge();
      const agents = this.#agentsOf(appId);
      const answer = await (validateCertificate ? agents.validating : agents.trusting).request({
        origin: target.origin,
        path: target.path,
        method,
        headers: [...request.headers],
        body: sent && isStream(body) ? body.on('error', (error) => sent.destroy(error)).pipe(sent) : (body as Uint8Array | null),
        signal,
        responseHeaders: 'raw',
      });
      // The types know the other form only.
      const headers = answer.headers as unknown as readonly string[];
      return { status: answer.statusCode, statusText: answer.statusText, headers, body: received(answer.body, headers, request, end) };
    } catch (error) {
      end(0);
      throw fetchError(error, target.hostname);
    }
  }

  /**
   * Connects for a tunnel, by the same guard. What it returns begins to carry bytes when it is given the app's side, and
   * must be. Throws FETCH_* and RPC_OVERLOADED.
   */
  async tunnel(appId: string, target: FetchTarget): Promise<(app: Duplex, head: Buffer) => Tunnel> {
    if (this.#closed) throw new PlatformError('FETCH_FAILED', 'the platform is stopping');
    const leave = this.#open.enter(appId);
    let socket: Socket;
    try {
      socket = await this.#connect(target);
    } catch (error) {
      leave();
      throw fetchError(error, target.hostname);
    }
    return (app, head) => {
      const tunnel: Tunnel = new Tunnel(app, socket, {
        head,
        onBytes: (bytes) => {
          this.#meter.add(appId, { urlFetchBytes: bytes });
        },
        onEnd: () => {
          this.#tunnels.delete(tunnel);
          leave();
        },
      });
      this.#tunnels.add(tunnel);
      tunnel.start();
      return tunnel;
    };
  }

  /** Ends what is under way. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const tunnel of this.#tunnels) tunnel.destroy();
    const agents = [...this.#agents.values()];
    this.#agents.clear();
    for (const { cancelIdle } of agents) cancelIdle?.();
    await Promise.all(agents.flatMap(({ validating, trusting }) => [validating.destroy(), trusting.destroy()]));
  }

  /** Without TLS: the app does that itself. */
  #connect({ hostname, port }: FetchTarget): Promise<Socket> {
    const connect = guardedConnector(this.#resolve, this.#rules, this.#timers, { validateCertificate: false, authorities: [] });
    return new Promise((resolve, reject) => {
      connect({ hostname, port: String(port), protocol: 'http:' }, (error, socket) => {
        if (socket) resolve(socket);
        else reject(error);
      });
    });
  }

  #agentsOf(appId: string): AppAgents {
    let agents = this.#agents.get(appId);
    if (!agents) {
      agents = { validating: this.#newAgent(true), trusting: this.#newAgent(false), cancelIdle: undefined };
      this.#agents.set(appId, agents);
    }
    agents.cancelIdle?.();
    agents.cancelIdle = undefined;
    return agents;
  }

  #newAgent(validateCertificate: boolean): Agent {
    const authorities = this.#options.authorities ?? [];
    return new Agent({
      connect: guardedConnector(this.#resolve, this.#rules, this.#timers, { validateCertificate, authorities }),
      keepAliveTimeout: LIMITS.fetchIdleMs,
      keepAliveMaxTimeout: LIMITS.fetchIdleMs,
      headersTimeout: LIMITS.egressStallMs,
      bodyTimeout: LIMITS.egressStallMs,
      maxHeaderSize: LIMITS.fetchAnswerHeaderBytesMax,
      pipelining: 1,
    });
  }

  /** An app without an open request loses its connections after a while, and costs nothing then. */
  #forgetIdle(appId: string): void {
    const agents = this.#agents.get(appId);
    if (!agents || this.#open.of(appId) > 0) return;
    agents.cancelIdle?.();
    agents.cancelIdle = this.#timers.after(LIMITS.fetchIdleMs, () => {
      this.#agents.delete(appId);
      void agents.validating.close();
      void agents.trusting.close();
    });
  }
}

/** The answer's body behind a counter. `end` is called once, with what came. */
function received(
  body: Readable,
  headers: readonly string[],
  { method, opensAnyLength = false }: FetchRequest,
  end: (bytes: number) => void,
): Readable {
  const announced = method === 'HEAD' || opensAnyLength ? 0 : Number(headerOf(headers, 'content-length') ?? 0);
  if (announced > LIMITS.fetchAnswerBytesMax) {
    body.on('error', () => undefined).destroy();
    throw answerTooLarge();
  }
  const counted = new CountedBody(LIMITS.fetchAnswerBytesMax, answerTooLarge);
  body.on('error', (error) => counted.destroy(fetchError(error, 'the target')));
  counted.on('error', () => undefined);
  finished(counted, { writable: false }, () => {
    body.destroy();
    end(counted.bytes);
  });
  return body.pipe(counted);
}

function isStream(body: Readable | Uint8Array | null): body is Readable {
  return body !== null && !(body instanceof Uint8Array);
}

function requestTooLarge(): PlatformError {
  return new PlatformError('FETCH_REQUEST_TOO_LARGE', `more than ${LIMITS.fetchRequestBytesMax} bytes`);
}

function answerTooLarge(): PlatformError {
  return new PlatformError('FETCH_TOO_LARGE', `more than ${LIMITS.fetchAnswerBytesMax} bytes`);
}
