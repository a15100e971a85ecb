// index.yaml beside an emulator: every project that somebody asks about gets the indexes that it declares, at its first call and after
// the file has changed.
import { readFile, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { type CallGuard, type V1Method } from '../../datastore/api/v1/port.ts';
import { parseIndexManifest } from '../../sdk/contract/app-manifest/index-yaml.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { type IndexDefinition } from '../../sdk/contract/index-definition.ts';
import { type Cancel, type Timers } from '../../sdk/support/clock.ts';

export interface IndexFileOptions {
  /** A file that is not there declares nothing. */
  readonly isOptional: boolean;
  /** Gives an app these indexes, and resolves when they serve. */
  readonly apply: (appId: string, definitions: readonly IndexDefinition[]) => Promise<void>;
  readonly warn: (line: string) => void;
}

const LOOK_EVERY_MS = 500;
const ABSENT = 'absent';

export class IndexFile implements CallGuard {
  readonly #path: string;
  readonly #timers: Timers;
  readonly #options: IndexFileOptions;
  #definitions: readonly IndexDefinition[] = [];
  /** What the file looked like when it was read. */
  #look = '';
  /** Apps that have what the file declares, or are about to. */
  readonly #applied = new Map<string, Promise<void> | 'done'>();
  #looking: Promise<void> | undefined;
  #cancel: Cancel = () => undefined;

  constructor(path: string, timers: Timers, options: IndexFileOptions) {
    this.#path = path;
    this.#timers = timers;
    this.#options = options;
  }

  /** Throws USAGE for a file that cannot be read, MANIFEST_INVALID. */
  async start(): Promise<void> {
    this.#look = await this.#lookAt();
    this.#definitions = await this.#read();
    this.#cancel = this.#timers.every(LOOK_EVERY_MS, () => void this.look());
  }

  async close(): Promise<void> {
    this.#cancel();
    await this.#looking;
  }

  /** Takes a change of the file in. Never throws: a file that cannot be read leaves what was. */
  look(): Promise<void> {
    this.#looking ??= this.#takeIn().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  /** Apps have lost their indexes. */
  forget(): void {
    this.#applied.clear();
  }

  async around<T>(appId: string, _method: V1Method, call: () => Promise<T>): Promise<T> {
    const applied = this.#applied.get(appId) ?? this.#apply(appId);
    if (applied !== 'done') await applied;
    return call();
  }

  entitiesRead(): void {
    // Nothing is metered here.
  }

  checkGrowth(): void {
    // Nor limited.
  }

  #apply(appId: string): Promise<void> {
    const applying: Promise<void> = this.#options.apply(appId, this.#definitions).then(
      () => {
        if (this.#applied.get(appId) === applying) this.#applied.set(appId, 'done');
      },
      (error: unknown) => {
        // The call tells its client which index is missing.
        this.#options.warn(`The indexes of ${basename(this.#path)} could not be made for ${appId}: ${String(error)}`);
        if (this.#applied.get(appId) === applying) this.#applied.delete(appId);
      },
    );
    this.#applied.set(appId, applying);
    return applying;
  }

  async #takeIn(): Promise<void> {
    try {
      const look = await this.#lookAt();
      if (look === this.#look) return;
      this.#look = look;
      this.#definitions = await this.#read();
      this.#applied.clear();
    } catch (error) {
      this.#options.warn(`${this.#path} has changed and cannot be used; what it declared before stays. ${String(error)}`);
    }
  }

  async #lookAt(): Promise<string> {
    try {
      const { mtimeMs, size, ino } = await stat(this.#path);
      return `${mtimeMs} ${size} ${ino}`;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ABSENT;
      throw this.#unreadable(error);
    }
  }

  async #read(): Promise<readonly IndexDefinition[]> {
    let text: string;
    try {
      text = await readFile(this.#path, 'utf8');
    } catch (error) {
      if (this.#options.isOptional && (error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw this.#unreadable(error);
    }
    return parseIndexManifest(text, basename(this.#path));
  }

  #unreadable(cause: unknown): PlatformError {
    const reason = cause instanceof Error ? cause.message : String(cause);
    return new PlatformError('USAGE', `--index-file is "${this.#path}", which cannot be read (${reason})`, { cause });
  }
}
