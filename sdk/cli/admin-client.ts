// The admin API as seen by the command line: sdk/contract/admin/admin.ts over HTTP.
import { type ErrorBody, errorFromBody, PlatformError } from '../contract/errors.ts';

type HttpMethod = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

interface RequestOptions {
  readonly json?: unknown;
  readonly bytes?: Uint8Array;
  /** Of `bytes`. */
  readonly contentType?: string;
  readonly signal?: AbortSignal;
}

export class AdminClient {
  readonly #base: string;
  readonly #token: string | undefined;

  /** `server` is a URL without a path. */
  constructor(server: string, token: string | undefined) {
    this.#base = server;
    this.#token = token;
  }

  /** The answer's JSON. Throws what the server refused with, SERVER_UNREACHABLE, or USAGE for a URL that is none. */
  async call<T>(method: HttpMethod, path: string, options: RequestOptions = {}): Promise<T> {
    const response = await this.#send(method, path, options);
    return (await response.json()) as T;
  }

  /** Each line of a newline-delimited answer, as it comes. */
  async *lines<T>(method: HttpMethod, path: string, options: RequestOptions = {}): AsyncGenerator<T> {
    for await (const line of this.textLines(method, path, options)) yield JSON.parse(line) as T;
  }

  /** The same before it is parsed. */
  async *textLines(method: HttpMethod, path: string, options: RequestOptions = {}): AsyncGenerator<string> {
    const response = await this.#send(method, path, options);
    if (!response.body) return;
    const decoder = new TextDecoder();
    let rest = '';
    try {
      for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
        const parts = (rest + decoder.decode(chunk, { stream: true })).split('\n');
        rest = parts.pop() ?? '';
        for (const line of parts) if (line !== '') yield line;
      }
    } catch (cause) {
      if (options.signal?.aborted) throw cause;
      throw new PlatformError('RPC_CONNECTION_LOST', `the server at ${this.#base} went away`, { cause });
    }
    if (rest !== '') yield rest;
  }

  async #send(method: HttpMethod, path: string, options: RequestOptions): Promise<Response> {
    const headers: Record<string, string> = this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` };
    if (options.json !== undefined) headers['content-type'] = 'application/json';
    if (options.bytes !== undefined) headers['content-type'] = options.contentType ?? 'application/octet-stream';
    const body = options.json === undefined ? options.bytes : JSON.stringify(options.json);
    let response: Response;
    try {
      const url = new URL(`${this.#base}/api/v1${path}`);
      response = await fetch(url, {
        method,
        headers,
        redirect: 'error',
        ...(body === undefined ? {} : { body }),
        ...(options.signal ? { signal: options.signal } : {}),
      });
    } catch (cause) {
      if (options.signal?.aborted) throw cause;
      if (!URL.canParse(this.#base))
        throw new PlatformError('USAGE', `--server is "${this.#base}", want a URL such as http://127.0.0.1:8000`);
      throw new PlatformError('SERVER_UNREACHABLE', `${this.#base} (${reasonOf(cause)})`, { cause });
    }
    if (response.ok) return response;
    throw await refusal(response, this.#base);
  }
}

async function refusal(response: Response, base: string): Promise<PlatformError> {
  const text = await response.text();
  try {
    const { error } = JSON.parse(text) as { error: ErrorBody };
    return errorFromBody(error);
  } catch {
    return new PlatformError('SERVER_UNREACHABLE', `what answers at ${base} is no App Engine server (status ${response.status})`);
  }
}

function reasonOf(thrown: unknown): string {
  const { cause } = thrown as { cause?: unknown };
  const deepest = cause instanceof AggregateError ? (cause.errors[0] as unknown) : cause;
  if (deepest instanceof Error) return ('code' in deepest ? String(deepest.code) : deepest.message) || deepest.name;
  return thrown instanceof Error ? thrown.message : String(thrown);
}
