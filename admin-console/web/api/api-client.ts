// The typed admin API as the page calls it: JSON over fetch with the session's cookie.
import { type SessionView } from '../../../sdk/contract/admin/session.ts';
import { type ErrorBody } from '../../../sdk/contract/errors.ts';

const BASE = '/api/v1';

/** What the server answered instead of what was asked, or why there was no answer. */
export class ApiFailure extends Error {
  /** 0 when no answer came. */
  readonly status: number;
  readonly body: ErrorBody;

  constructor(status: number, body: ErrorBody) {
    super(body.message);
    this.name = 'ApiFailure';
    this.status = status;
    this.body = body;
  }

  get isSignedOut(): boolean {
    return this.status === 401;
  }
}

export type Verb = 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** A path whose values are encoded: apiPath`/apps/${id}/versions`. */
export function apiPath(parts: TemplateStringsArray, ...values: readonly (string | number)[]): string {
  return parts.reduce((path, part, index) => path + encodeURIComponent(String(values[index - 1])) + part);
}

/** The address of something that the browser itself fetches, such as a download. */
export const apiAddress = (path: string): string => BASE + path;

export class ApiClient {
  #csrfToken = '';

  async session(): Promise<SessionView> {
    return this.#keep(await this.get<SessionView>('/session'));
  }

  /** Spends the code of a one-time link. Throws SIGN_IN_CODE_INVALID. */
  async signIn(code: string): Promise<SessionView> {
    return this.#keep(await this.send<SessionView>('POST', '/sign-in', { code }));
  }

  async get<T>(path: string, options: { readonly signal?: AbortSignal } = {}): Promise<T> {
    const response = await this.#fetch(path, { signal: options.signal ?? null });
    return (await jsonOf(response)) as T;
  }

  async send<T>(verb: Verb, path: string, body?: unknown): Promise<T> {
    const headers: Record<string, string> = { 'X-Csrf-Token': this.#csrfToken };
    if (body !== undefined) headers['Content-Type'] = 'application/json';
    const response = await this.#fetch(path, { method: verb, headers, body: body === undefined ? null : JSON.stringify(body) });
    return (await jsonOf(response)) as T;
  }

  /** Lines of an open-ended answer as they come; empty ones, which keep the connection alive, are left out. */
  async *lines<T>(path: string, { signal }: { readonly signal: AbortSignal }): AsyncGenerator<T> {
    const response = await this.#fetch(path, { signal });
    if (response.body === null) return;
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = '';
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      const lines = (rest + value).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        if (line !== '') yield JSON.parse(line) as T;
      }
    }
    if (rest !== '') yield JSON.parse(rest) as T;
  }

  #keep(session: SessionView): SessionView {
    this.#csrfToken = session.csrfToken;
    return session;
  }

  async #fetch(path: string, init: RequestInit): Promise<Response> {
    let response: Response;
    try {
      response = await fetch(BASE + path, { credentials: 'same-origin', ...init });
    } catch (error) {
      if (error instanceof DOMException && error.name === 'AbortError') throw error;
      throw new ApiFailure(0, {
        code: 'RPC_UNAVAILABLE',
        message: 'The platform does not answer',
        mend: 'Check that `appengine serve` is running on the server and that you are connected; this page tries again by itself',
        details: {},
      });
    }
    if (!response.ok) throw new ApiFailure(response.status, await errorOf(response));
    return response;
  }
}

async function jsonOf(response: Response): Promise<unknown> {
  const text = await response.text();
  return text === '' ? {} : JSON.parse(text);
}

async function errorOf(response: Response): Promise<ErrorBody> {
  const body = await jsonOf(response).catch(() => undefined);
  const error = typeof body === 'object' && body !== null && 'error' in body ? (body.error as Partial<ErrorBody> | null) : undefined;
  return {
    code: error?.code ?? 'INTERNAL',
    message: error?.message ?? `The server answered ${response.status} ${response.statusText}`.trim(),
    mend: error?.mend ?? 'Try again; if it stays, look at the platform log',
    details: error?.details ?? {},
  };
}
