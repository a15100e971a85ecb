import { request } from 'node:http';
import { coldStartOf, type StartPhases } from '../sdk/contract/cold-start.ts';
import { type Clock, type Random } from '../sdk/support/clock.ts';
import { HeaderPolicy } from './header-policy.ts';
import { type InstanceTarget, type RequestLogSink } from './ports.ts';
import { RequestIds } from './request-ids.ts';
import { STATUS_CLIENT_LEFT } from './request-record.ts';

/** App Engine's address of what asks for `/_ah/warmup`, `/_ah/start` and `/_ah/stop`. */
const LIFECYCLE_ADDRESS = '0.1.0.3';
/** Such an answer is only counted; an app that sends without end is cut off. */
const ANSWER_BYTES_MAX = 1024 * 1024;

export interface LifecycleCall {
  readonly target: InstanceTarget;
  readonly path: string;
  readonly instanceId: string;
  readonly socketPath: string;
  /** How the instance started, of the first request that it gets. */
  readonly start?: StartPhases | undefined;
  readonly deadlineMs: number;
}

/** The platform's own requests to instances: like any other in what the app sees, with a row in the request log. */
export class LifecycleCalls {
  readonly #requestLog: RequestLogSink;
  readonly #clock: Clock;
  readonly #domain: string;
  readonly #policy: HeaderPolicy;
  readonly #requestIds: RequestIds;

  /** `domain` is shared by all apps. */
  constructor(requestLog: RequestLogSink, clock: Clock, random: Random, domain: string) {
    this.#requestLog = requestLog;
    this.#clock = clock;
    this.#domain = domain;
    this.#policy = new HeaderPolicy(domain);
    this.#requestIds = new RequestIds(random);
  }

  /** One GET. Resolves with the status once the whole answer came; rejects when none did. */
  async send(call: LifecycleCall, options: { readonly signal: AbortSignal }): Promise<number> {
    const requestId = this.#requestIds.next();
    const startedAtMs = this.#clock.nowMs();
    const startedMs = this.#clock.monotonicMs();
    const answer: Answer = { status: STATUS_CLIENT_LEFT, bytes: 0, firstByteMs: undefined };
    try {
      await this.#exchange(call, requestId, answer, startedMs, options.signal);
      return answer.status;
    } finally {
      const { appId, service, version } = call.target;
      this.#requestLog.write({
        requestId,
        startedAtMs,
        appId,
        service,
        version,
        instanceId: call.instanceId,
        method: 'GET',
        host: this.#hostOf(call.target),
        target: call.path,
        status: answer.status,
        latencyMs: this.#clock.monotonicMs() - startedMs,
        pendingMs: 0,
        isLoadingRequest: call.start !== undefined,
        ...(call.start ? { coldStart: coldStartOf(call.start, answer.firstByteMs) } : {}),
        requestBytes: 0,
        responseBytes: answer.bytes,
        clientAddress: LIFECYCLE_ADDRESS,
        retries: 0,
      });
    }
  }

  #exchange(
    { target, path, socketPath, deadlineMs }: LifecycleCall,
    requestId: string,
    answer: Answer,
    startedMs: number,
    signal: AbortSignal,
  ): Promise<void> {
    const headers = this.#policy.forInstance([], {
      requestId,
      host: this.#hostOf(target),
      clientAddress: LIFECYCLE_ADDRESS,
      peerAddress: LIFECYCLE_ADDRESS,
      isHttps: false,
      defaultHostname: `${target.appId}.${this.#domain}`,
      deadlineMs,
      isPlatformCall: true,
    });
    return new Promise((resolve, reject) => {
      const outgoing = request({ socketPath, path, headers, agent: false, signal }, (response) => {
        answer.status = response.statusCode ?? STATUS_CLIENT_LEFT;
        answer.firstByteMs = this.#clock.monotonicMs() - startedMs;
        response.on('data', (chunk: Buffer) => {
          answer.bytes += chunk.length;
          if (answer.bytes > ANSWER_BYTES_MAX) response.destroy(new Error('the answer is too long'));
        });
        response.on('error', reject);
        response.on('end', resolve);
      });
      outgoing.on('error', reject);
      outgoing.end();
    });
  }

  #hostOf({ appId, service, version }: InstanceTarget): string {
    return `${version}-dot-${service}-dot-${appId}.${this.#domain}`;
  }
}

interface Answer {
  status: number;
  bytes: number;
  firstByteMs: number | undefined;
}
