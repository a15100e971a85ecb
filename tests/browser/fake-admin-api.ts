// A console server for tests: dist/console with its nonce and content security policy, over an admin API in memory.
// Run alone, it serves for looking around: npx tsx tests/browser/fake-admin-api.ts [PORT]
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { errorBody, PlatformError, toPlatformError } from '../../sdk/contract/errors.ts';
import { systemClock } from '../../sdk/support/clock.ts';
import { fakeAccounts, fakeApp, logRow } from './fake-admin-data.ts';
import { answer, type FakeState, LineAnswer } from './fake-routes.ts';

const CONSOLE = join(fileURLToPath(new URL('../../dist/console/', import.meta.url)));
const MEDIA: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

export const SIGN_IN_CODE = 'one-time-code';

export interface RecordedCall {
  readonly verb: string;
  readonly path: string;
  readonly body: unknown;
}

export class FakeAdminApi {
  readonly state: FakeState;
  /** Calls that changed something, in order. */
  readonly changes: RecordedCall[] = [];
  readonly #server: Server;
  readonly #csrfToken = randomBytes(8).toString('hex');
  readonly #session = randomBytes(8).toString('hex');
  readonly #spentCodes = new Set<string>();
  #rows = 10_000;

  constructor() {
    const nowMs = systemClock.nowMs();
    this.state = {
      apps: new Map(['guestbook', 'shop', 'photo-archive'].map((id) => [id, fakeApp(id, nowMs)])),
      accounts: fakeAccounts(nowMs),
      followers: new Set(),
    };
    this.#server = createServer((request, response) => {
      this.#handle(request, response).catch((error: unknown) => response.destroy(error as Error));
    });
  }

  /** Resolves with the address to open. */
  async start(port = 0): Promise<string> {
    if (!existsSync(join(CONSOLE, 'index.html'))) throw new Error('dist/console is not there. To mend it: npm run build');
    this.#server.listen(port, '127.0.0.1');
    await once(this.#server, 'listening');
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  /** A cookie that is signed in already. */
  get sessionCookie(): { readonly name: string; readonly value: string } {
    return { name: 'console-session', value: this.#session };
  }

  /** Appends a row to what every follower of a log reads. */
  log(text: string): void {
    const row = { ...logRow(4, systemClock.nowMs()), text };
    for (const follow of this.state.followers) follow(row);
  }

  logRequests(count: number): void {
    for (let index = 0; index < count; index += 1) {
      for (const follow of this.state.followers) follow(logRow((this.#rows += 1), systemClock.nowMs()));
    }
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://fake');
    if (!url.pathname.startsWith('/api/')) {
      this.#file(url.pathname, response);
      return;
    }
    const path = url.pathname.slice('/api/v1'.length);
    try {
      const body = await bodyOf(request);
      const value = this.#answer(request, path, url.searchParams, body, response);
      if (value instanceof LineAnswer) this.#lines(value, response);
      else if (/\/(raw|attachments\/\d+)$/.test(path)) response.setHeader('Content-Disposition', 'attachment').end('raw');
      else response.setHeader('Content-Type', 'application/json').end(JSON.stringify(value));
    } catch (thrown) {
      const error = toPlatformError(thrown);
      response.writeHead(error.row.httpStatus, { 'Content-Type': 'application/json' }).end(JSON.stringify({ error: errorBody(error) }));
    }
  }

  #answer(request: IncomingMessage, path: string, query: URLSearchParams, body: unknown, response: ServerResponse): unknown {
    const verb = request.method ?? 'GET';
    const session = { user: 'owner', csrfToken: this.#csrfToken, expiresAtMs: systemClock.nowMs() + 3_600_000 };
    if (path === '/status') return { release: '0.1.0', appUrlTemplate: 'http://{id}.localhost:8080/', sandbox: 'bubblewrap', warnings: [] };
    if (path === '/sign-in') {
      const { code } = body as { code: string };
      if (code !== SIGN_IN_CODE || this.#spentCodes.has(code)) throw new PlatformError('SIGN_IN_CODE_INVALID');
      this.#spentCodes.add(code);
      response.setHeader('Set-Cookie', `console-session=${this.#session}; HttpOnly; SameSite=Strict; Path=/`);
      return session;
    }
    if (!(request.headers.cookie ?? '').includes(`console-session=${this.#session}`)) throw new PlatformError('UNAUTHENTICATED');
    if (verb !== 'GET' && request.headers['x-csrf-token'] !== this.#csrfToken) throw new PlatformError('CSRF_REFUSED');
    if (path === '/session' && verb === 'GET') return session;
    if (path === '/session') {
      response.setHeader('Set-Cookie', 'console-session=; Max-Age=0; Path=/');
      return {};
    }
    if (verb !== 'GET' && !path.endsWith('/query')) this.changes.push({ verb, path, body });
    if (/\/(raw|attachments\/\d+)$/.test(path)) return undefined;
    return answer(this.state, verb, path, { query, body, nowMs: systemClock.nowMs() });
  }

  #lines({ rows, isFollowed }: LineAnswer, response: ServerResponse): void {
    response.setHeader('Content-Type', 'application/x-ndjson');
    for (const row of rows) response.write(`${JSON.stringify(row)}\n`);
    if (!isFollowed) {
      response.end();
      return;
    }
    const follow = (row: unknown): void => {
      response.write(`${JSON.stringify(row)}\n`);
    };
    this.state.followers.add(follow);
    response.once('close', () => this.state.followers.delete(follow));
  }

  #file(path: string, response: ServerResponse): void {
    const file = join(CONSOLE, normalize(path));
    const isAsset = extname(path) !== '' && existsSync(file);
    if (!isAsset && path.startsWith('/assets/')) {
      response.writeHead(404).end();
      return;
    }
    const nonce = randomBytes(16).toString('base64');
    response.writeHead(200, {
      'Content-Type': MEDIA[isAsset ? extname(path) : '.html'] ?? 'application/octet-stream',
      'Content-Security-Policy': [
        "default-src 'none'",
        "script-src 'self'",
        `style-src 'self' 'nonce-${nonce}'`,
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "frame-src 'self' blob:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
      ].join('; '),
    });
    response.end(isAsset ? readFileSync(file) : readFileSync(join(CONSOLE, 'index.html'), 'utf8').replaceAll('__CSP_NONCE__', nonce));
  }
}

async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  return text === '' ? undefined : JSON.parse(text);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const address = await new FakeAdminApi().start(Number(process.argv[2] ?? 0));
  process.stdout.write(`${address}/sign-in#code=${SIGN_IN_CODE}\n`);
}
