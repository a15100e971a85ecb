// The single-page app as files: its page for every navigation, its hashed assets for a year, compressed once.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import { type Request, type RequestHandler, type Response, Router } from 'express';
import { LIMITS } from '../sdk/contract/limits.ts';
import { type Random } from '../sdk/support/clock.ts';
import { contentSecurityPolicy } from './security-headers.ts';

const NONCE_MARK = '__CSP_NONCE__';
const NONCE_BYTES = 18;
/** One name below the directory and no hidden one: nothing leads out of it. */
const ASSET_PATTERN = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,150}$/;
const COMPRESSED_BYTES_MIN = 1024;
const YEAR_SECONDS = 31_536_000;
const HOUR_SECONDS = 3_600;

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
  png: 'image/png',
  ico: 'image/x-icon',
  webp: 'image/webp',
  woff2: 'font/woff2',
  json: 'application/json',
  webmanifest: 'application/manifest+json',
  txt: 'text/plain; charset=utf-8',
};
const COMPRESSIBLE = new Set(['js', 'css', 'svg', 'json', 'webmanifest', 'txt']);

const UNBUILT_PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>App Engine: the console is not built</title>
</head>
<body>
<h1>The console is not built</h1>
<p>The platform runs, but the console's pages are missing. Build them, then load this page again:</p>
<pre><code>npm run build</code></pre>
<p>The command line does all that the console does: <code>npx appengine --help</code></p>
</body>
</html>
`;

type Encoding = 'br' | 'gzip' | 'identity';

/** `directory` is what the build of the single-page app made: index.html, other files beside it, and hashed ones in assets/. */
export function consolePages(directory: string, random: Random): Router {
  const router = Router();
  const assets = new AssetCache(join(directory, 'assets'));
  router.get('/assets/:name', async (request, response, next) => {
    const { name } = request.params;
    const extension = extensionOf(name);
    const type = CONTENT_TYPES[extension];
    if (!ASSET_PATTERN.test(name) || type === undefined) {
      next();
      return;
    }
    const encoding = COMPRESSIBLE.has(extension) ? encodingOf(request) : 'identity';
    const body = await assets.body(name, encoding);
    if (!body) {
      next();
      return;
    }
    // Its name changes with its content.
    response.set('Cache-Control', `public, max-age=${YEAR_SECONDS}, immutable`);
    if (COMPRESSIBLE.has(extension)) response.set('Vary', 'Accept-Encoding');
    if (body.encoding !== 'identity') response.set('Content-Encoding', body.encoding);
    response.set('Content-Type', type).send(body.bytes);
  });
  router.get('/:name', async (request, response, next) => {
    const { name } = request.params;
    const type = CONTENT_TYPES[extensionOf(name)];
    const bytes = type !== undefined && ASSET_PATTERN.test(name) ? await readOrNone(join(directory, name)) : undefined;
    if (!bytes || type === undefined) next();
    else response.set({ 'Cache-Control': `public, max-age=${HOUR_SECONDS}`, 'Content-Type': type }).send(bytes);
  });
  router.get('/{*path}', page(directory, random));
  return router;
}

/** The app's one page, with a nonce of its own each time: the app gives it to the styles that it makes. */
function page(directory: string, random: Random): RequestHandler {
  return async (request, response, next) => {
    if (!isNavigation(request)) {
      next();
      return;
    }
    response.set('Cache-Control', 'no-store').type('html');
    const html = (await readOrNone(join(directory, 'index.html')))?.toString('utf8');
    if (html === undefined) {
      response.status(503).send(UNBUILT_PAGE);
      return;
    }
    const nonce = random.bytes(NONCE_BYTES).toString('base64');
    response.set('Content-Security-Policy', contentSecurityPolicy(nonce));
    sendUntagged(response, html.replaceAll(NONCE_MARK, nonce));
  };
}

/** No ETag: each answer differs in its nonce. */
function sendUntagged(response: Response, html: string): void {
  response.set('Content-Length', String(Buffer.byteLength(html)));
  response.end(html);
}

/** An address that a person opened, and not what a page or program asks for. */
function isNavigation(request: Request): boolean {
  if (/^\/(api|assets)(\/|$)/i.test(request.path)) return false;
  return request.path === '/' || (request.headers.accept ?? '').includes('text/html');
}

interface AssetBody {
  readonly bytes: Buffer;
  readonly encoding: Encoding;
}

/** Files that never change, in each encoding that was asked for. */
class AssetCache {
  readonly #directory: string;
  readonly #bodies = new Map<string, AssetBody>();
  #bytes = 0;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Undefined when there is no such file. */
  async body(name: string, encoding: Encoding): Promise<AssetBody | undefined> {
    const key = `${encoding} ${name}`;
    const known = this.#bodies.get(key);
    if (known) return known;
    const plain = await readOrNone(join(this.#directory, name));
    if (!plain) return undefined;
    const body = await encoded(plain, encoding);
    // Two who asked at once both made it; it is counted once.
    if (!this.#bodies.has(key) && this.#bytes + body.bytes.length <= LIMITS.consoleAssetCacheBytesMax) {
      this.#bodies.set(key, body);
      this.#bytes += body.bytes.length;
    }
    return body;
  }
}

async function encoded(plain: Buffer, encoding: Encoding): Promise<AssetBody> {
  if (encoding === 'identity' || plain.length < COMPRESSED_BYTES_MIN) return { bytes: plain, encoding: 'identity' };
  const bytes =
    encoding === 'gzip'
      ? await promisify(gzip)(plain)
      : // Quality 5: about gzip's time for a sixth less. The highest would hold the first reader up for seconds.
        await promisify(brotliCompress)(plain, { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } });
  return { bytes, encoding };
}

function encodingOf(request: Request): Encoding {
  // Asked one by one: together, the browser's order would win over ours.
  if (request.acceptsEncodings('br') === 'br') return 'br';
  return request.acceptsEncodings('gzip') === 'gzip' ? 'gzip' : 'identity';
}

function extensionOf(name: string): string {
  return /\.([a-z0-9]{1,12})$/.exec(name)?.[1] ?? '';
}

async function readOrNone(path: string): Promise<Buffer | undefined> {
  return readFile(path).catch(() => undefined);
}
