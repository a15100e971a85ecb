// How a task reaches the app: the port to the router. Adapter: ../../backends/task-caller-http.ts; twin: ScriptedTaskCaller.
import { type ErrorCode } from '../../../sdk/contract/errors.ts';

export interface TaskCall {
  readonly host: string;
  readonly method: string;
  readonly url: string;
  /** Names and values; the platform's own among them. */
  readonly headers: readonly (readonly [string, string])[];
  readonly payload: Uint8Array;
  readonly deadlineMs: number;
}

export type CallOutcome =
  /** By the app. */
  | { readonly kind: 'answered'; readonly status: number }
  /** By the router itself. */
  | { readonly kind: 'refused'; readonly status: number; readonly code: ErrorCode }
  /** No router was there: the app has seen nothing of it. */
  | { readonly kind: 'unreachable' }
  /** The connection broke before an answer came: the app may have seen it. */
  | { readonly kind: 'lost' };

export interface TaskCaller {
  /** Never throws. Over the deadline it is refused with ROUTE_DEADLINE. Abort gives it up as lost. */
  send(call: TaskCall, options: { readonly signal: AbortSignal }): Promise<CallOutcome>;
}

/** Twin of the port: answers by a function, and remembers what was asked. */
export class ScriptedTaskCaller implements TaskCaller {
  readonly calls: TaskCall[] = [];
  answer: (call: TaskCall) => CallOutcome | Promise<CallOutcome> = () => ({ kind: 'answered', status: 200 });

  async send(call: TaskCall): Promise<CallOutcome> {
    this.calls.push(call);
    return this.answer(call);
  }
}
