// The sandbox of Linux: bubblewrap, https://github.com/containers/bubblewrap, version 0.8 or newer (--disable-userns).
import { execFile, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Writable } from 'node:stream';
import { promisify } from 'node:util';
import { assert } from '../../sdk/support/assert.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { bubblewrapOptions, type HostLayout } from './bubblewrap-arguments.ts';
import { BubblewrapProcess } from './bubblewrap-process.ts';
import { readHostLayout } from './host-layout.ts';
import { launcherArguments, launcherInput, launcherJoin } from './launcher.ts';
import { type PreparedSandbox, type Sandbox, type SandboxSpec } from './port.ts';
import { type ResourceGroup } from './resource-control.ts';
import { processLimits } from './process-limits.ts';
import { becomeUser } from './user-namespace.ts';
import { architectureOf, systemCallFilter } from './system-calls/filter.ts';
import { mountSpace, ownMounts } from './writable-space.ts';

const BUBBLEWRAP_INSTALL = 'apt-get install bubblewrap';

/** The launcher and bubblewrap run outside: of the app's variables they see none. Found where the operator's shell finds it. */
const OUTSIDE_ENVIRONMENT = { PATH: process.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin' };
const ARGUMENTS_DESCRIPTOR = 3;
const STATUS_DESCRIPTOR = 4;
const FILTER_DESCRIPTOR = 5;

export interface BubblewrapSandboxOptions {
  /** Files made for the sandboxes go there; it must outlive them. */
  readonly scratchDirectory: string;
  /** Instead of `ownMounts`, for tests. */
  readonly ownMounts?: readonly string[];
}

interface Started {
  readonly host: HostLayout;
  /** Where each sandbox mounts its writable space; or why this machine does not let it. */
  readonly space: { readonly place: string } | { readonly missing: string };
}

export class BubblewrapSandbox implements Sandbox {
  readonly kind = 'bubblewrap';
  readonly #scratchDirectory: string;
  readonly #ownMounts: readonly string[];
  #started: Started | undefined;

  constructor(options: BubblewrapSandboxOptions) {
    this.#scratchDirectory = options.scratchDirectory;
    this.#ownMounts = options.ownMounts ?? ownMounts(process.getuid?.());
  }

  get warnings(): readonly string[] {
    const missing = this.spaceMissing;
    return missing === undefined ? [] : [`An app that makes too many files is ended, rather than told ENOSPC: ${missing}`];
  }

  /** Why this machine does not let us mount what apps may write with a number of files; undefined where it does. */
  get spaceMissing(): string | undefined {
    const space = this.#started?.space;
    return space !== undefined && 'missing' in space ? space.missing : undefined;
  }

  async start(): Promise<void> {
    const architecture = architectureOf(process.arch);
    if (architecture === undefined)
      throw new PlatformError('INSTANCE_SPAWN_FAILED', `there is no filter of system calls for ${process.arch} yet`);
    const host = readHostLayout(this.#scratchDirectory, process.execPath, process.env['JAVA_HOME']);
    const place = join(this.#scratchDirectory, 'writable');
    mkdirSync(place, { recursive: true });
    writeFileSync(this.#filterFile, systemCallFilter(architecture));
    try {
      await this.#try(host, place);
      this.#started = { host, space: { place } };
    } catch (withSpace) {
      try {
        await this.#try(host);
      } catch (cause) {
        throw new PlatformError('INSTANCE_SPAWN_FAILED', whyBubblewrapFails(cause), { cause });
      }
      this.#started = { host, space: { missing: lastSaid(withSpace) } };
    }
  }

  async #try(host: HostLayout, place?: string): Promise<void> {
    const spec: SandboxSpec = {
      command: ['true'],
      environment: {},
      code: { directory: host.generatedEtc, writable: false },
      readOnlyMounts: [],
      tmpBytesMax: 65_536,
      network: false,
    };
    const options = [...bubblewrapOptions(spec, host, place), '--seccomp', String(FILTER_DESCRIPTOR), '--', ...spec.command];
    const mount = place === undefined ? '' : `${mountSpace(spec.tmpBytesMax)} || exit; `;
    const script = `${mount}shift; exec bwrap "$@" ${FILTER_DESCRIPTOR}<"$0"`;
    const [program, ...args] = this.#shell(['-c', script, this.#filterFile, place ?? '', ...options], place);
    await promisify(execFile)(program, args, { env: OUTSIDE_ENVIRONMENT });
  }

  /** In a mount namespace of its own when it shall mount at `place`. */
  #shell(words: readonly string[], place: string | undefined): readonly [program: string, ...words: string[]] {
    const [first, ...rest] = [...(place === undefined ? [] : this.#ownMounts), '/bin/sh', ...words];
    assert(first !== undefined, 'a shell is a program');
    return [first, ...rest];
  }

  get #filterFile(): string {
    return join(this.#scratchDirectory, 'system-calls.bpf');
  }

  prepare(): PreparedSandbox {
    assert(this.#started, 'the sandbox is started before it is used');
    const { host, space } = this.#started;
    const place = 'place' in space ? space.place : undefined;
    const filter = openSync(this.#filterFile, 'r');
    const ahead = place === undefined ? undefined : { place, bytesMax: LIMITS.instanceTmpBytesMax };
    const [program, ...args] = this.#shell(launcherArguments(FILTER_DESCRIPTOR, ahead), place);
    const child = spawn(program, args, {
      env: OUTSIDE_ENVIRONMENT,
      cwd: '/',
      stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe', filter],
      // Out of reach of a Ctrl-C, which would end the app in the middle of a request: the host ends it in order.
      detached: true,
    });
    closeSync(filter);
    // A failed spawn shows as an exit; without a listener it would end this process.
    child.on('error', () => undefined);
    const input = child.stdio[ARGUMENTS_DESCRIPTOR] as Writable;
    input.on('error', () => undefined);
    let visible: ResourceGroup['visible'] | undefined;
    return {
      join: (group) => {
        visible = group.visible;
        input.write(launcherJoin(group.joinFiles));
      },
      run: (spec) => {
        assert(visible, 'a sandbox joins a group before it runs');
        const running = new BubblewrapProcess(child, { statusDescriptor: STATUS_DESCRIPTOR, counted: place === undefined });
        const resized = ahead === undefined || spec.tmpBytesMax === ahead.bytesMax ? undefined : { ...ahead, bytesMax: spec.tmpBytesMax };
        const command = launcherInput(
          [
            ...(spec.user === undefined ? [] : becomeUser(spec.user.uid)),
            'bwrap',
            '--args',
            String(ARGUMENTS_DESCRIPTOR),
            '--json-status-fd',
            String(STATUS_DESCRIPTOR),
            '--seccomp',
            String(FILTER_DESCRIPTOR),
            '--',
            ...spec.command,
          ],
          {
            limits: processLimits(spec),
            ...(spec.user === undefined ? {} : { namespace: spec.user.namespace }),
            ...(resized === undefined ? {} : { space: resized }),
          },
        );
        input.write(command);
        const readOnlyMounts = [...spec.readOnlyMounts, ...visible];
        input.end(bubblewrapOptions({ ...spec, readOnlyMounts }, host, place).join('\0') + '\0');
        return running;
      },
      discard: () =>
        new Promise((resolve) => {
          if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) resolve();
          child.once('exit', () => {
            resolve();
          });
          child.kill('SIGKILL');
        }),
    };
  }
}

function whyBubblewrapFails(cause: unknown): string {
  const { code, stderr } = cause as { readonly code?: unknown; readonly stderr?: string };
  if (code === 'ENOENT' || code === 127) return `bubblewrap is not installed; install it with: ${BUBBLEWRAP_INSTALL}`;
  const said = stderr?.trim() ?? '';
  if (said.includes('Unknown option')) return `this bubblewrap is too old, 0.8 or newer is needed: ${said}`;
  if (said.includes('Operation not permitted') || said.includes('Permission denied')) {
    return `this machine does not let bubblewrap make namespaces (see kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns): ${said}`;
  }
  return said === '' ? String(cause) : said;
}

/** The last line of what a program that failed said. */
function lastSaid(cause: unknown): string {
  const { stderr = '' } = cause as { readonly stderr?: string };
  return stderr.trim().split('\n').at(-1) || String(cause);
}
