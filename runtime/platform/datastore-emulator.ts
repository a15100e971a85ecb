// Just the datastore and its public port, for `appengine emulator datastore`. Nothing else of the platform is loaded, and of this only
// what the first call needs: the emulator is there within a moment.
import { isatty } from 'node:tty';
import { openToAll } from '../../datastore/api/v1/transport/identity.ts';
import { type CallGuard } from '../../datastore/api/v1/port.ts';
import { DatastoreV1Server } from '../../datastore/api/v1/transport/server.ts';
import { DatastoreV1Service } from '../../datastore/api/v1/v1-service.ts';
import { Datastore, type DatastoreOptions } from '../../datastore/datastore.ts';
import { type Store } from '../../datastore/storage/port.ts';
import { type EmulatorOptions, type RunningEmulator, type StartEmulator } from '../../sdk/contract/emulator.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { type IndexDefinition, indexYamlLines } from '../../sdk/contract/index-definition.ts';
import { systemClock, systemRandom, systemTimers } from '../../sdk/support/clock.ts';
import { CloseStack } from '../../sdk/support/close-stack.ts';
import { type Log, type LogFields } from '../../sdk/support/log.ts';
import { startAttachedCommand } from '../host/attached-command.ts';
import { type IndexFile } from './index-file.ts';

/** Tells people of what went wrong, and of nothing else. */
class WarningLog implements Log {
  readonly #say: (line: string) => void;

  constructor(say: (line: string) => void) {
    this.#say = say;
  }

  debug(): void {
    // Nobody asked.
  }

  info(): void {
    // Nobody asked.
  }

  warn(message: string, fields: LogFields = {}): void {
    this.#say(`Warning: ${message}${fieldsText(fields)}`);
  }

  error(message: string, fields: LogFields = {}): void {
    this.#say(`Error: ${message}${fieldsText(fields)}`);
  }

  child(): Log {
    return this;
  }
}

function fieldsText(fields: LogFields): string {
  const text = Object.entries(fields).map(([name, value]) => ` ${name}=${value instanceof Error ? value.message : String(value)}`);
  return text.length === 0 ? '' : ` (${text.join('').trim()})`;
}

export const startDatastoreEmulator: StartEmulator = async (options, warn) => {
  const closing = new CloseStack();
  try {
    return await start(options, warn, closing);
  } catch (error) {
    await closing.close().catch(() => undefined);
    throw error;
  }
};

/** For `--exec`. */
export const startCommand = (...[command, variables]: Parameters<typeof startAttachedCommand>): ReturnType<typeof startAttachedCommand> =>
  startAttachedCommand(command, variables, { environment: process.env, isTerminal: isatty(0), timers: systemTimers });

async function start(options: EmulatorOptions, warn: (line: string) => void, closing: CloseStack): Promise<RunningEmulator> {
  const log = new WarningLog(warn);
  let end: (failure?: PlatformError) => void = () => undefined;
  const ended = new Promise<PlatformError | undefined>((resolve) => (end = resolve));
  const { store, announce } = await openStore(options, closing);
  const datastore = new Datastore(store, systemClock, systemTimers, systemRandom, log, {
    ...(await recorder(options, log)),
    onStoreFailed: end,
  });
  await datastore.start();
  closing.defer(() => datastore.close());
  const indexFile = await followIndexFile(options, datastore, warn, closing);
  const guard: CallGuard | undefined = indexFile;
  const server = new DatastoreV1Server(new DatastoreV1Service(() => datastore, guard), systemClock, systemTimers, log, {
    authenticate: openToAll,
    surface: options.allowsReset
      ? {
          reset: async () => {
            await datastore.reset(() => false);
            indexFile?.forget();
          },
          shutdown: () => {
            end();
          },
        }
      : {},
  });
  const { port } = await server.start({ host: options.host, port: options.port }).catch((error: unknown) => {
    throw portError(error, options);
  });
  closing.defer(() => server.close());
  announce(port);
  return { port, ended, close: () => closing.close() };
}

interface OpenStore {
  readonly store: Store;
  /** Tells whoever finds the data directory held where this emulator is. */
  readonly announce: (port: number) => void;
}

async function openStore({ dataDirectory }: EmulatorOptions, closing: CloseStack): Promise<OpenStore> {
  if (dataDirectory === undefined) {
    const { MemoryStore } = await import('../../datastore/storage/memory-store.ts');
    return { store: new MemoryStore(), announce: () => undefined };
  }
  const [{ LevelStore }, { DataDirectory }] = await Promise.all([
    import('../../datastore/storage/level-store.ts'),
    import('../host/data-directory.ts'),
  ]);
  const directory = DataDirectory.open(dataDirectory, systemClock, systemRandom, { parts: ['store'] });
  closing.defer(() => {
    directory.close();
  });
  return {
    store: new LevelStore(directory.paths.store),
    announce: (port) => {
      directory.announce({ datastore: port });
    },
  };
}

/** Indexes are made as queries need them, unless that is not wanted. */
async function recorder({ requiresIndexes, indexFile }: EmulatorOptions, log: Log): Promise<Pick<DatastoreOptions, 'recordIndexes'>> {
  if (requiresIndexes) return {};
  if (indexFile === undefined) return { recordIndexes: () => Promise.resolve(true) };
  const { DevIndexFile } = await import('./dev-index-file.ts');
  const file = new DevIndexFile(indexFile, log);
  return { recordIndexes: (_appId, definitions) => file.record(definitions) };
}

async function followIndexFile(
  { indexFile, requiresIndexes }: EmulatorOptions,
  datastore: Datastore,
  warn: (line: string) => void,
  closing: CloseStack,
): Promise<IndexFile | undefined> {
  if (indexFile === undefined) return undefined;
  const { IndexFile } = await import('./index-file.ts');
  const file = new IndexFile(indexFile, systemTimers, {
    isOptional: !requiresIndexes,
    apply: (appId, definitions) => applyIndexes(datastore, appId, definitions, requiresIndexes),
    warn,
  });
  await file.start();
  closing.defer(() => file.close());
  return file;
}

/** `isAll`: these and no others. */
async function applyIndexes(datastore: Datastore, appId: string, definitions: readonly IndexDefinition[], isAll: boolean): Promise<void> {
  if (isAll) {
    const declared = new Set(definitions.map(indexYamlLines));
    for (const { id, definition, state } of datastore.listIndexes({ appId })) {
      if (state !== 'deleting' && !declared.has(indexYamlLines(definition))) await datastore.deleteIndex({ appId }, id);
    }
  }
  await datastore.ensureIndexes({ appId }, definitions);
  await datastore.indexesBuilt();
}

/** Named as this command's flag. */
function portError(error: unknown, { host, port }: EmulatorOptions): unknown {
  if (error instanceof PlatformError) {
    if (error.code !== 'PORT_BUSY') return error;
    return new PlatformError('PORT_BUSY', `${host}:${port}`, { details: { port, flag: '--port' }, cause: error });
  }
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'EACCES')
    return new PlatformError('PORT_BUSY', `${host}:${port} (${code})`, { details: { port, flag: '--port' }, cause: error });
  if (code === 'EADDRNOTAVAIL')
    return new PlatformError('USAGE', `--bind is "${host}", which is no address of this machine`, { cause: error });
  return error;
}
