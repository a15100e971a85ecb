// Tasks through the router's private socket, as plain HTTP/1.1 requests, each on a connection of its own: so a router that
// is away shows before a byte is sent, and is never taken for one that lost a request.
import { type ClientRequest, request } from 'node:http';
import { ERRORS, isErrorCode } from '../../sdk/contract/errors.ts';
import { type Timers } from '../../sdk/support/clock.ts';
import { type CallOutcome, type TaskCall, type TaskCaller } from '../services/task-queue/task-caller.ts';

/** Set by the router on its own answers to platform calls. */
const ERROR_HEADER = 'x-appengine-error-code';

export class HttpTaskCaller implements TaskCaller {
  readonly #socketPath: string;
  readonly #timers: Timers;

  constructor(socketPath: string, timers: Timers) {
    this.#socketPath = socketPath;
    this.#timers = timers;
  }

  send(call: TaskCall, { signal }: { readonly signal: AbortSignal }): Promise<CallOutcome> {
    return new Promise((resolve) => {
      let isConnected = false;
      const outgoing = this.#begin(call);
      if (!outgoing) {
        resolve({ kind: 'refused', status: ERRORS.ROUTE_BAD_REQUEST.httpStatus, code: 'ROUTE_BAD_REQUEST' });
        return;
      }
      const settle = (outcome: CallOutcome): void => {
        cancelDeadline();
        signal.removeEventListener('abort', onAbort);
        resolve(outcome);
        outgoing.destroy();
      };
      const onAbort = (): void => {
        settle({ kind: 'lost' });
      };
      const cancelDeadline = this.#timers.after(call.deadlineMs, () => {
        settle({ kind: 'refused', status: ERRORS.ROUTE_DEADLINE.httpStatus, code: 'ROUTE_DEADLINE' });
      });
      outgoing.on('socket', (socket) => {
        socket.once('connect', () => (isConnected = true));
      });
      outgoing.on('error', () => {
        settle(isConnected ? { kind: 'lost' } : { kind: 'unreachable' });
      });
      outgoing.on('response', (response) => {
        const { statusCode = 0, headers } = response;
        const code = headers[ERROR_HEADER];
        response.resume();
        response.on('end', () => {
          settle(isErrorCode(code) ? { kind: 'refused', status: statusCode, code } : { kind: 'answered', status: statusCode });
        });
        response.on('close', () => {
          settle({ kind: 'lost' });
        });
      });
      signal.addEventListener('abort', onAbort, { once: true });
      if (signal.aborted) onAbort();
      else outgoing.end(call.payload.length > 0 ? call.payload : undefined);
    });
  }

  /** Undefined for what cannot be a request, which Node refuses by throwing. */
  #begin(call: TaskCall): ClientRequest | undefined {
    try {
      return request({ socketPath: this.#socketPath, agent: false, method: call.method, path: call.url, headers: headersOf(call) });
    } catch {
      return undefined;
    }
  }
}

function headersOf({ host, method, headers, payload }: TaskCall): string[] {
  const pairs = ['Host', host, ...headers.flat()];
  if (payload.length > 0 || method === 'POST' || method === 'PUT') pairs.push('Content-Length', String(payload.length));
  return pairs;
}
