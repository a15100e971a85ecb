// Apps of a bench on a whole platform, deployed as a user would.
import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { type AdminInstanceView } from '../../sdk/contract/admin/admin.ts';
import { type PlatformProcess, waitFor } from '../integration/platform-process.ts';

/** Beside hogs that nothing limits, everything takes its time. */
const STOP_MS_MAX = 90_000;

export class BenchApp {
  readonly name: string;
  readonly #platform: PlatformProcess;
  readonly #token: string;

  private constructor(platform: PlatformProcess, name: string, token: string) {
    this.#platform = platform;
    this.name = name;
    this.#token = token;
  }

  static async deploy(platform: PlatformProcess, name: string, manifest: string, server: string): Promise<BenchApp> {
    const directory = await mkdtemp(join(platform.dataDirectory, `app-${name}-`));
    await writeFile(join(directory, 'app.yaml'), manifest);
    await writeFile(join(directory, 'server.js'), server);
    await platform.appengineJson('deploy', directory, '--app', name);
    const token = await readFile(join(platform.dataDirectory, 'credentials', 'owner-token'), 'utf8');
    return new BenchApp(platform, name, token.trim());
  }

  /** Where load is sent. */
  get target(): { readonly port: number; readonly host: string } {
    return { port: this.#platform.routerPort, host: `${this.name}.localhost` };
  }

  async instances(): Promise<readonly AdminInstanceView[]> {
    const { instances } = JSON.parse(await this.#admin('GET', `/apps/${this.name}/instances`)) as { instances: AdminInstanceView[] };
    return instances;
  }

  /** Ends every instance, and waits until they have gone. */
  async stopInstances(): Promise<void> {
    await waitFor(
      `no instance of ${this.name}`,
      async () => {
        const instances = await this.instances();
        for (const { id, state } of instances) {
          // One may have ended since it was listed.
          if (state !== 'stopping') await this.#admin('DELETE', `/apps/${this.name}/instances/${id}`).catch(() => undefined);
        }
        return instances.length === 0;
      },
      STOP_MS_MAX,
    );
  }

  #admin(method: string, path: string): Promise<string> {
    const url = new URL(`${this.#platform.consoleUrl}/api/v1${path}`);
    return new Promise((resolve, reject) => {
      const outgoing = request(url, { method, headers: { authorization: `Bearer ${this.#token}` } }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.once('error', reject);
        response.once('end', () => {
          const text = Buffer.concat(chunks).toString();
          if ((response.statusCode ?? 0) < 300) resolve(text);
          else reject(new Error(`${method} ${path}: ${response.statusCode ?? 0} ${text}`));
        });
      });
      outgoing.once('error', reject);
      outgoing.end();
    });
  }
}
