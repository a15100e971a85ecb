// A real instance host in a temporary directory, for suites that run apps.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock, systemRandom, systemTimers } from '../../sdk/support/clock.ts';
import { CloseStack } from '../../sdk/support/close-stack.ts';
import { MemoryLog } from '../../sdk/support/log.ts';
import { LocalInstanceHost, type LocalInstanceHostOptions } from '../../runtime/host/instance-host.ts';
import { MemoryInstanceLogSink } from '../../runtime/host/instance-log.ts';
import { type InstanceExit, type InstanceSpec, type InstanceState, type InstanceView } from '../../runtime/host/instance.ts';
import { platformMounts } from '../../runtime/host/platform-mounts.ts';
import { type AppUsers } from '../../runtime/sandbox/app-users.ts';
import { startAppUsers } from '../../runtime/sandbox/app-users-choice.ts';
import { BubblewrapSandbox } from '../../runtime/sandbox/bubblewrap-sandbox.ts';
import { type Sandbox } from '../../runtime/sandbox/port.ts';
import { ProcessSandbox } from '../../runtime/sandbox/process-sandbox.ts';
import { type ResourceControl } from '../../runtime/sandbox/resource-control.ts';
import { startResourceControl } from '../../runtime/sandbox/resource-control-choice.ts';

export const MiB = 2 ** 20;
const repository = join(import.meta.dirname, '..', '..');

export interface StartedApp {
  readonly id: string;
  /** The newest view. */
  view(): InstanceView;
  /** Resolves with the view in that state, throws when it exits first. */
  reached(state: InstanceState): Promise<InstanceView>;
  exited(): Promise<InstanceExit>;
  /** What it answers to GET `path`. */
  get(path?: string): Promise<string>;
  /** Lines of its log, `stream text`. */
  log(): string[];
}

const SANDBOXES: Readonly<Record<Sandbox['kind'], (scratchDirectory: string) => Sandbox>> = {
  bubblewrap: (scratchDirectory) => new BubblewrapSandbox({ scratchDirectory }),
  process: () => new ProcessSandbox(),
};

export class HostFixture {
  readonly directory: string;
  readonly resources: ResourceControl;
  readonly users: AppUsers;
  readonly logs = new MemoryInstanceLogSink();
  readonly host: LocalInstanceHost;
  readonly #closing: CloseStack;
  #apps = 0;

  private constructor(
    directory: string,
    resources: ResourceControl,
    users: AppUsers,
    sandbox: Sandbox,
    closing: CloseStack,
    options: Partial<LocalInstanceHostOptions>,
  ) {
    this.directory = directory;
    this.resources = resources;
    this.users = users;
    this.#closing = closing;
    this.host = new LocalInstanceHost(sandbox, resources, this.logs, systemClock, systemTimers, systemRandom, {
      runDirectory: join(directory, 'run'),
      readOnlyMounts: platformMounts({ sdkDirectory: join(directory, 'sdk'), languagesDirectory: join(repository, 'runtime/languages') }),
      users,
      ...options,
    });
  }

  /** `again`: the directory of an earlier one, as after a restart. */
  static async open(
    kind: Sandbox['kind'] | ((scratchDirectory: string) => Sandbox),
    options: Partial<LocalInstanceHostOptions> = {},
    again?: string,
  ): Promise<HostFixture> {
    const closing = new CloseStack();
    const directory = again ?? (await mkdtemp(join(tmpdir(), 'ae-')));
    closing.defer(() => rm(directory, { recursive: true, force: true }));
    for (const name of ['run', 'code', 'sdk']) await mkdir(join(directory, name), { recursive: true });
    const resources = await startResourceControl(directory, systemTimers, new MemoryLog());
    closing.defer(() => resources.close());
    const build = typeof kind === 'function' ? kind : SANDBOXES[kind];
    const sandbox = build(join(directory, 'scratch'));
    await sandbox.start();
    const users = await startAppUsers(sandbox, new MemoryLog(), { dataDirectory: directory, recordFile: join(directory, 'app-users') });
    closing.defer(() => users.close());
    const fixture = new HostFixture(directory, resources, users, sandbox, closing, options);
    fixture.host.open();
    closing.defer(() => fixture.host.close());
    return fixture;
  }

  close(): Promise<void> {
    return this.#closing.close();
  }

  /** A directory with these files. */
  async code(files: Readonly<Record<string, string>>): Promise<string> {
    const directory = join(this.directory, 'code', `app-${this.#apps++}`, 'app');
    await mkdir(directory, { recursive: true });
    for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text);
    return directory;
  }

  /** Starts `code` as a CommonJS program under the preload, in which `serve(handler)` listens on $PORT. */
  async start(code: string, change: Partial<InstanceSpec> = {}): Promise<StartedApp> {
    const codeDirectory = await this.code({ 'app.cjs': `${HELPERS}\n${code}` });
    return this.startSpec({ codeDirectory, ...change });
  }

  async startSpec(change: Partial<InstanceSpec>): Promise<StartedApp> {
    const spec: InstanceSpec = {
      appId: 'hello',
      service: 'default',
      version: 'v1',
      deploymentId: '7',
      codeDirectory: this.directory,
      command: ['node', 'app.cjs'],
      environment: { NODE_OPTIONS: '--require="/srv/platform/nodejs/preload.cjs"' },
      memoryBytesMax: 256 * MiB,
      pidsMax: 64,
      tmpBytesMax: 8 * MiB,
      cpuWeight: 1,
      readyMsMax: 10_000,
      ...change,
    };
    const { id } = await this.host.start(spec);
    return this.#follow(id);
  }

  #follow(id: string): StartedApp {
    let newest: InstanceView | undefined;
    const waiting = new Set<() => void>();
    this.host.watch({
      onReset: () => undefined,
      onChange: (view) => {
        if (view.id !== id) return;
        newest = view;
        for (const wake of waiting) wake();
      },
    });
    const current = (): InstanceView => {
      if (!newest) throw new Error(`no view of ${id}`);
      return newest;
    };
    const until = <T>(look: () => T | undefined): Promise<T> =>
      new Promise((resolve, reject) => {
        const wake = (): void => {
          try {
            const found = look();
            if (found === undefined) return;
            resolve(found);
          } catch (error) {
            reject(error instanceof Error ? error : new Error(String(error)));
          }
          waiting.delete(wake);
        };
        waiting.add(wake);
        wake();
      });
    const { socketDirectory } = current();
    return {
      id,
      view: current,
      reached: (state) =>
        until(() => {
          const view = current();
          if (view.state === state) return view;
          if (view.exit) throw new Error(`${view.exit.reason}: ${view.exit.stderrTail}`);
          return undefined;
        }),
      exited: () => until(() => current().exit),
      get: (path = '/') => httpGet(join(socketDirectory, 'app.sock'), path),
      log: () => this.logs.rows.filter((row) => row.instanceId === id).map((row) => `${row.stream} ${row.text}`),
    };
  }
}

const HELPERS = `const serve = (handler) => require('http').createServer((request, response) => {
  Promise.resolve().then(() => handler(request.url, request)).then((text) => response.end(String(text)), (error) => response.end('error ' + error.code + ' ' + error.message));
}).listen(process.env.PORT);`;

export function httpGet(socketPath: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, path, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.once('end', () => {
        resolve(text);
      });
      response.once('error', reject);
    });
    call.once('error', reject);
    call.end();
  });
}
