// The story of one plain request: guard → resolve → file, redirect or instance → answer → log row.
// Read next: proxy.ts for one attempt on an instance, upgrade.ts for the same story of a WebSocket.
import { type Clock, type Random } from '../sdk/support/clock.ts';
import { assertNever } from '../sdk/support/assert.ts';
import { PlatformError, toPlatformError, type ErrorCode } from '../sdk/contract/errors.ts';
import { type Log } from '../sdk/support/log.ts';
import { decideAccess } from './access-rule.ts';
import { type RequestClient } from './client-connection.ts';
import { type ClientAnswer, type ClientRequest } from './client-exchange.ts';
import { type CurrentRoutes } from './current-routes.ts';
import { errorAnswer } from './error-page.ts';
import { Exchange } from './exchange.ts';
import { HEALTH_ANSWER, isHealthCheck } from './health-answer.ts';
import { InFlight } from './in-flight.ts';
import { type LoadCaps } from './load-caps.ts';
import { type AppGate, type InstanceLease, type InstanceSource, type LeaseOutcome, type RequestLogSink } from './ports.ts';
import { type AttemptOutcome, type Proxy } from './proxy.ts';
import { PLATFORM_ERROR_HEADER } from './platform-call.ts';
import { guardRequest, type RequestHead } from './request-guard.ts';
import { STATUS_CLIENT_LEFT, type RequestRecord } from './request-record.ts';
import { type RequestStarts } from './request-start.ts';
import { RetryBudgets } from './retry-budget.ts';
import { mayRetry } from './retry-rule.ts';
import { type RouteDecision, type RouteTable } from './route-table.ts';
import { type Sessions } from './sessions.ts';
import { loginRedirectHeaders, type SignIn } from './sign-in.ts';
import { redirectHeaders, type PublicPorts } from './secure-redirect.ts';
import { decideStatic } from './static-answer.ts';
import { startReport } from './start-report.ts';
import { type StaticFiles } from './static-files.ts';

export interface DispatchPorts {
  readonly routes: CurrentRoutes;
  readonly instances: InstanceSource;
  readonly quotas: AppGate;
  readonly requestLog: RequestLogSink;
  readonly proxy: Proxy;
  readonly files: StaticFiles;
  readonly sessions: Sessions;
  readonly signIn: SignIn;
  readonly starts: RequestStarts;
  readonly caps: LoadCaps;
  readonly publicPorts: PublicPorts;
  /** Whether error pages say why an app did not start. */
  readonly showsStartReports: boolean;
}

/** A route's decision once it is known who asks. */
export type AdmittedDecision = RouteDecision | { readonly kind: 'login' };

type AppDecision = Extract<RouteDecision, { readonly kind: 'app' }>;

/** After these the connection's framing or pace cannot be trusted. */
const CLOSING_CODES: ReadonlySet<ErrorCode> = new Set([
  'ROUTE_BAD_REQUEST',
  'ROUTE_BODY_TOO_LARGE',
  'ROUTE_HEADERS_TOO_LARGE',
  'ROUTE_URL_TOO_LONG',
  'ROUTE_REQUEST_TIMEOUT',
]);

const INSTANCE_FAULTS: ReadonlySet<ErrorCode> = new Set(['ROUTE_INSTANCE_FAILED', 'ROUTE_BAD_RESPONSE', 'ROUTE_DEADLINE']);

export class Dispatcher {
  readonly #ports: DispatchPorts;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #log: Log;
  readonly #retries = new RetryBudgets();
  readonly #inFlight = new InFlight<Exchange>();
  /** Called when the last request under way ends. */
  onIdle: (() => void) | undefined;
  #isDraining = false;

  constructor(ports: DispatchPorts, clock: Clock, random: Random, log: Log) {
    this.#ports = ports;
    this.#clock = clock;
    this.#random = random;
    this.#log = log;
  }

  get requestsInFlight(): number {
    return this.#inFlight.size;
  }

  /** Serves one request. `isContinueAwaited`: the client waits for 100 before it sends the body. */
  handle(request: ClientRequest, response: ClientAnswer, connection: RequestClient, isContinueAwaited = false): void {
    if (connection.isEnding) return;
    const { starts, caps } = this.#ports;
    const start = starts.of(request, connection);
    const exchange = new Exchange(request, response, connection, start, this.#onClosed);
    exchange.isContinueAwaited = isContinueAwaited;
    caps.enter(start.load);
    this.#inFlight.add(exchange);
    connection.opened(exchange);
    if (this.#isDraining) response.shouldKeepAlive = false;
    try {
      connection.admit();
      if (!start.isPlatformCall) caps.admitClient(start.load);
      const head = guardRequest(request);
      exchange.head = head;
      const { table } = this.#ports.routes;
      if (table) this.#serve(exchange, head, this.routeBy(table, exchange, head));
      else this.#serveLate(exchange, head).catch((thrown: unknown) => this.#answerError(exchange, thrown));
    } catch (thrown) {
      this.#answerError(exchange, thrown);
    }
  }

  /** Ends what is over a limit of time. Call it about once a second. */
  sweep(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const exchange of this.#inFlight.snapshot()) {
      const code = exchange.overdue(nowMs);
      if (code === undefined) continue;
      if (exchange.attempt) exchange.attempt.fail(code);
      else if (code === 'CANCELLED') exchange.response.destroy();
    }
  }

  /** Makes the answers under way the last ones of their connections. */
  drain(): void {
    this.#isDraining = true;
    for (const { response } of this.#inFlight.snapshot()) if (!response.headersSent) response.shouldKeepAlive = false;
  }

  /** Where a guarded request goes. Throws ROUTE_STARTING, QUOTA_EXCEEDED, ROUTE_APP_BUSY and what RouteTable.resolve throws. */
  async route(record: RequestRecord, head: RequestHead, connection: RequestClient): Promise<AdmittedDecision> {
    const { routes } = this.#ports;
    return this.routeBy(routes.table ?? (await routes.first({ signal: connection.gone })), record, head);
  }

  routeBy(table: RouteTable, record: RequestRecord, head: RequestHead): AdmittedDecision {
    const { start, request } = record;
    const decision = table.resolve(head.host, head.path, {
      address: start.clientAddress,
      cookie: request.headers.cookie,
      isSecure: start.isSecure,
      fraction: this.#fraction,
    });
    record.route = decision.route;
    // Files count too: they are the app's bandwidth.
    if (decision.route) {
      const { appId } = decision.route.target;
      this.#ports.quotas.admit(appId);
      record.appLoad = this.#ports.caps.enterApp(appId);
    }
    return this.#admit(record, decision);
  }

  /** The decision if this visitor may have it. */
  #admit(record: RequestRecord, decision: RouteDecision): AdmittedDecision {
    const { start, request, route } = record;
    if (route) record.visitor = this.#ports.sessions.visitorOf(route.target.appId, request.headers.cookie, start.isHttps);
    const access = decideAccess('access' in decision ? decision.access : undefined, record.visitor, start.isPlatformCall);
    if (access === 'pass') return decision;
    return access === 'login' ? { kind: 'login' } : { kind: 'refused', code: access };
  }

  readonly #fraction = (): number => this.#random.fraction();

  /** For a request that comes before the first route table. */
  async #serveLate(exchange: Exchange, head: RequestHead): Promise<void> {
    this.#serve(exchange, head, await this.route(exchange, head, exchange.connection));
  }

  #serve(exchange: Exchange, head: RequestHead, decision: AdmittedDecision): void {
    switch (decision.kind) {
      case 'app':
        this.#retries.earn(decision.route.target.deploymentId, exchange.start.startedMs);
        this.#serveFromInstance(exchange, head, decision);
        return;
      case 'static':
        this.#serveFile(exchange, decision).catch((thrown: unknown) => this.#answerError(exchange, thrown));
        return;
      case 'redirect':
        exchange.response.writeHead(decision.status, redirectHeaders(head, decision.scheme, this.#ports.publicPorts));
        exchange.response.end();
        return;
      case 'login':
        this.#answer(exchange, { status: 302, headers: loginRedirectHeaders(head), body: undefined });
        return;
      case 'sign-in':
        this.#serveSignIn(exchange, head, decision).catch((thrown: unknown) => this.#answerError(exchange, thrown));
        return;
      case 'refused':
        throw new PlatformError(decision.code);
      default:
        assertNever(decision);
    }
  }

  async #serveSignIn(exchange: Exchange, head: RequestHead, decision: RouteDecision & { readonly kind: 'sign-in' }): Promise<void> {
    const { request, start, connection } = exchange;
    const { page, route } = decision;
    const { appId } = route.target;
    const { clientAddress, isHttps } = start;
    const asked = { page, appId, request, head, isHttps, clientAddress, signal: connection.gone };
    exchange.askForBody();
    const answer = await this.#ports.signIn.answer(asked);
    if (!exchange.isClosed) this.#answer(exchange, answer);
  }

  /** Acquire, attempt, release; then done, once more, or an error. In callbacks: every promise here costs each request. */
  #serveFromInstance(exchange: Exchange, head: RequestHead, decision: AppDecision): void {
    this.#ports.instances.acquire(decision.route.target, { signal: exchange.connection.gone }).then(
      (lease) => this.#attempt(exchange, head, decision, lease),
      (thrown: unknown) => this.#answerError(exchange, thrown),
    );
  }

  #attempt(exchange: Exchange, head: RequestHead, decision: AppDecision, lease: InstanceLease): void {
    exchange.useLease(lease, this.#clock);
    // The client may have left, or broken off its body, in the moment in which the lease was granted.
    const refused = exchange.isClosed ? 'CANCELLED' : exchange.connection.bodyError(exchange);
    if (refused) {
      lease.release('cancelled');
      this.#answerError(exchange, new PlatformError(refused));
      return;
    }
    this.#ports.proxy.forward(
      exchange,
      { head, route: decision.route, newBucket: decision.newBucket, socketPath: lease.socketPath },
      (outcome) => {
        lease.release(leaseOutcome(outcome));
        if (outcome.kind !== 'failed') return;
        if (this.#mayRetry(exchange, head, outcome)) {
          exchange.retries++;
          this.#serveFromInstance(exchange, head, decision);
        } else {
          this.#answerError(exchange, outcome.error);
        }
      },
    );
  }

  /** Only what an instance has had counts against the budget: a request that reached none does no harm. */
  #mayRetry(exchange: Exchange, head: RequestHead, failed: AttemptOutcome & { readonly kind: 'failed' }): boolean {
    const nowMs = this.#clock.monotonicMs();
    const { wasDelivered } = failed;
    const isSafe = mayRetry({
      code: failed.error.code,
      method: head.method,
      hasBody: head.hasBody,
      wasDelivered,
      isResponseStarted: exchange.response.headersSent,
      retries: exchange.retries,
      remainingMs: exchange.deadlineMs - (nowMs - exchange.start.startedMs),
    });
    return isSafe && (!wasDelivered || this.#retries.take(exchange.route?.target.deploymentId ?? '', nowMs));
  }

  async #serveFile(exchange: Exchange, decision: RouteDecision & { readonly kind: 'static' }): Promise<void> {
    const { request, response } = exchange;
    const { files } = this.#ports;
    const { path, file, options, access, deployedAtMs, newBucket } = decision;
    const { method = '', headers: asked } = request;
    const nowMs = exchange.start.startedAtMs;
    const { status, headers, part } = decideStatic(
      { method, headers: asked, nowMs, deployedAtMs, isPrivate: access !== undefined, newBucket },
      path,
      file,
      options,
    );
    const bytes = part && (await files.small(part.blob));
    if (exchange.isClosed) return;
    if (!part || bytes) {
      const body = part && bytes?.subarray(part.range.start, part.range.end + 1);
      exchange.responseBytes = body?.length ?? 0;
      response.writeHead(status, headers);
      response.end(body);
      return;
    }
    response.writeHead(status, headers);
    await files.stream(part.blob, part.range, response, (count) => (exchange.responseBytes += count));
  }

  #answerError(exchange: Exchange, thrown: unknown): void {
    const { response, request, start } = exchange;
    const error = toPlatformError(thrown);
    if (isHealthCheck(error.code, exchange.head) && !exchange.isClosed) {
      this.#answer(exchange, { ...HEALTH_ANSWER, body: request.method === 'HEAD' ? undefined : HEALTH_ANSWER.body });
      return;
    }
    if (error.code !== 'CANCELLED') exchange.errorCode ??= error.code;
    if (exchange.isClosed || response.destroyed) return;
    if (error.code === 'INTERNAL') this.#log.error('A request failed in the router', { requestId: start.requestId, error: thrown });
    if (response.headersSent || error.code === 'CANCELLED') {
      // The client must see that the answer is cut short.
      response.destroy();
      return;
    }
    const report = this.#ports.showsStartReports ? startReport(error) : undefined;
    const { accept } = request.headers;
    const answer = errorAnswer(error.code, start.requestId, accept, error.details, exchange.route?.errorPages, report);
    if (CLOSING_CODES.has(error.code)) this.#endConnection(exchange);
    const headers = start.isPlatformCall ? [...answer.headers, PLATFORM_ERROR_HEADER, error.code] : answer.headers;
    this.#answer(exchange, { status: answer.status, headers, body: request.method === 'HEAD' ? undefined : answer.body });
  }

  /** Sends an answer of the router's own. */
  #answer(
    exchange: Exchange,
    answer: { readonly status: number; readonly headers: readonly string[]; readonly body: Buffer | undefined },
  ): void {
    const { request, response } = exchange;
    // A body that nobody reads stands between this request and the next.
    if (!request.complete && exchange.head?.hasBody !== false) this.#endConnection(exchange);
    exchange.responseBytes = answer.body?.length ?? 0;
    response.writeHead(answer.status, [...answer.headers]);
    response.end(answer.body);
  }

  #endConnection({ response, connection }: Exchange): void {
    response.shouldKeepAlive = false;
    connection.end();
  }

  readonly #onClosed = (exchange: Exchange): void => {
    this.#inFlight.remove(exchange);
    exchange.attempt?.cancel();
    this.#ports.caps.leave(exchange.start.load, exchange.appLoad);
    const { response, body, responseBytes } = exchange;
    const status = response.headersSent ? response.statusCode : STATUS_CLIENT_LEFT;
    this.#ports.requestLog.write(exchange.logRow(this.#clock.monotonicMs(), { status, requestBytes: body?.bytes ?? 0, responseBytes }));
    exchange.connection.answered(exchange);
    if (this.#inFlight.size === 0) this.onIdle?.();
  };
}

/** A client's own fault says nothing about the instance. */
function leaseOutcome(outcome: AttemptOutcome): LeaseOutcome {
  if (outcome.kind !== 'failed') return outcome.kind;
  return INSTANCE_FAULTS.has(outcome.error.code) ? 'failed' : 'cancelled';
}
