// A browser, as far as forms, cookies and redirects of one host go.
import { request } from 'node:http';
import { type Answer } from './platform-process.ts';

export class Browser {
  readonly cookies = new Map<string, string>();
  readonly #port: number;
  readonly #host: string;

  /** `host`: without the port. */
  constructor(port: number, host: string) {
    this.#port = port;
    this.#host = `${host}:${port}`;
  }

  get(path: string): Promise<Answer> {
    return this.#ask('GET', path);
  }

  post(path: string, form: Readonly<Record<string, string>>): Promise<Answer> {
    return this.#ask('POST', path, new URLSearchParams(form).toString());
  }

  /** Loads the log-in page, fills in its form and sends it. */
  async signIn(email: string, password: string, continueTo = '/', more: Readonly<Record<string, string>> = {}): Promise<Answer> {
    const page = await this.get(`/_ah/login?continue=${encodeURIComponent(continueTo)}`);
    return this.post('/_ah/login', { ...hiddenFields(page.text), email, password, ...more });
  }

  async signOut(continueTo: string): Promise<Answer> {
    const page = await this.get(`/_ah/logout?continue=${encodeURIComponent(continueTo)}`);
    return this.post('/_ah/logout', hiddenFields(page.text));
  }

  #ask(method: string, path: string, body?: string): Promise<Answer> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const headers: Record<string, string> = { host: this.#host, accept: 'text/html', ...(cookie === '' ? {} : { cookie }) };
    if (path.startsWith('/api/')) headers['accept'] = 'application/json';
    if (body !== undefined) {
      headers['content-type'] = 'application/x-www-form-urlencoded';
      headers['content-length'] = String(Buffer.byteLength(body));
      headers['origin'] = `http://${this.#host}`;
    }
    return new Promise((resolve, reject) => {
      const settings = { host: '127.0.0.1', port: this.#port, path, method, headers, agent: false, timeout: 30_000 };
      const outgoing = request(settings, (response) => {
        const chunks: Buffer[] = [];
        for (const line of response.headers['set-cookie'] ?? []) this.#keep(line);
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text: Buffer.concat(chunks).toString() }),
        );
      });
      outgoing.on('timeout', () => outgoing.destroy(new Error('the browser waited too long')));
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  }

  #keep(line: string): void {
    const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
    if (/; Max-Age=0(?:;|$)/.test(line)) this.cookies.delete(name);
    else this.cookies.set(name, value);
  }
}

function hiddenFields(html: string): Record<string, string> {
  const found = html.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)">/g);
  return Object.fromEntries([...found].map(([, name = '', value = '']) => [name, value.replaceAll('&amp;', '&')]));
}
