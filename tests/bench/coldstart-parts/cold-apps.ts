// Our side: a whole platform as `appengine serve` starts it, with many apps of one kind that are asked when none runs.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type AdminInstanceView } from '../../../sdk/contract/admin/admin.ts';
import { type ColdStart } from '../../../sdk/contract/cold-start.ts';
import { PlatformProcess, waitFor } from '../../integration/platform-process.ts';
import { firstByte } from './first-byte.ts';

const DEPLOYS_AT_ONCE = 4;

export class ColdApps {
  readonly #platform: PlatformProcess;
  readonly #token: string;

  private constructor(platform: PlatformProcess, token: string) {
    this.#platform = platform;
    this.#token = token;
  }

  static async start(): Promise<ColdApps> {
    const platform = await PlatformProcess.start();
    const token = await readFile(join(platform.dataDirectory, 'credentials', 'owner-token'), 'utf8');
    return new ColdApps(platform, token.trim());
  }

  /** `names` become apps of this directory; the first alone, so that the others find what its build made. */
  async deploy(names: readonly string[], directory: string): Promise<void> {
    const waiting = [...names];
    const deployAll = async (): Promise<void> => {
      for (let name = waiting.shift(); name !== undefined; name = waiting.shift())
        await this.#platform.appengineJson('deploy', directory, '--app', name, '--quiet');
    };
    const first = waiting.shift();
    if (first !== undefined) await this.#platform.appengineJson('deploy', directory, '--app', first, '--quiet');
    await Promise.all(Array.from({ length: DEPLOYS_AT_ONCE }, deployAll));
  }

  /** Ends every instance of these apps and waits until none is left. */
  async toZero(names: readonly string[]): Promise<void> {
    for (const name of names) {
      for (const { id } of await this.instances(name)) await this.#api('DELETE', `/apps/${name}/instances/${id}`);
    }
    for (const name of names) await waitFor(`${name} has no instance`, async () => (await this.instances(name)).length === 0);
  }

  /** From the request on to the first byte, through the router, from no instance. */
  async timeFirstByte(name: string): Promise<number> {
    const beganMs = performance.now();
    await firstByte({ port: this.#platform.routerPort, host: '127.0.0.1' }, `${name}.localhost`, { retryMs: 1 });
    return performance.now() - beganMs;
  }

  async instances(name: string): Promise<readonly AdminInstanceView[]> {
    const text = await this.#api('GET', `/apps/${name}/instances`);
    return (JSON.parse(text) as { instances: AdminInstanceView[] }).instances;
  }

  /** Of all starts whose first request was logged so far. */
  async coldStarts(name: string): Promise<readonly ColdStart[]> {
    const text = await this.#api('GET', `/apps/${name}/logs?source=request&lines=100`);
    return text
      .split('\n')
      .filter((line) => line !== '')
      .flatMap((line) => {
        const { coldStart } = JSON.parse(line) as { coldStart?: ColdStart };
        return coldStart === undefined ? [] : [coldStart];
      });
  }

  close(): Promise<void> {
    return this.#platform.remove();
  }

  async #api(method: string, path: string): Promise<string> {
    const answer = await fetch(`${this.#platform.consoleUrl}/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${this.#token}` },
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path} answers ${answer.status}: ${text}`);
    return text;
  }
}
