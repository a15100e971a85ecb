// A user for each app, by namespaces that map them: see user-namespace.ts. A namespace is made with the first start of an
// app, in about 8 ms, and kept until the host ends; later starts cost nothing.
import { execFile } from 'node:child_process';
import { closeSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { writeDurably } from '../../sdk/support/durable-files.ts';
import { type AppUser, type AppUsers } from './app-users.ts';
import { makeUserNamespace } from './user-namespace.ts';
import { type UserRange } from './user-range.ts';
import { readUserRecord, type UserRecord, withApp, writeUserRecord } from './user-record.ts';

export interface SeparateUsersOptions {
  readonly recordFile: string;
  readonly range: UserRange;
}

const run = promisify(execFile);

export class SeparateUsers implements AppUsers {
  readonly kind = 'separate';
  readonly warnings: readonly string[] = [];
  readonly #options: SeparateUsersOptions;
  readonly #users = new Map<string, Promise<AppUser>>();
  readonly #descriptors: number[] = [];
  #record: UserRecord;
  /** Writes go one after another, each with all that is known. */
  #written: Promise<void> = Promise.resolve();
  #isClosed = false;

  constructor(options: SeparateUsersOptions) {
    this.#options = options;
    this.#record = readUserRecord('', options.range);
  }

  async start(): Promise<void> {
    const text = await readFile(this.#options.recordFile, 'utf8').catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
      throw error;
    });
    this.#record = readUserRecord(text, this.#options.range);
  }

  /** Throws INSTANCE_SPAWN_FAILED; then the next call tries again. */
  userOf(appId: string): Promise<AppUser> {
    const known = this.#users.get(appId);
    if (known) return known;
    if (this.#isClosed) return Promise.reject(new PlatformError('INSTANCE_SPAWN_FAILED', 'the platform is stopping'));
    const made = this.#make(appId).catch((cause: unknown) => {
      this.#users.delete(appId);
      throw new PlatformError('INSTANCE_SPAWN_FAILED', `no user of its own for the app: ${String(cause)}`, { cause });
    });
    this.#users.set(appId, made);
    return made;
  }

  async give(directory: string, appId: string): Promise<void> {
    const { uid } = await this.userOf(appId);
    await chown(directory, uid, uid);
  }

  async takeBack(directory: string): Promise<void> {
    await chown(directory, process.getuid?.() ?? 0, process.getgid?.() ?? 0);
    await run('chmod', ['-R', 'u+rwX,go+rX,go-w,a-s', '--', directory]);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.allSettled([...this.#users.values(), this.#written]);
    for (const descriptor of this.#descriptors.splice(0)) closeSync(descriptor);
    this.#users.clear();
  }

  async #make(appId: string): Promise<AppUser> {
    const { range } = this.#options;
    const uid = await this.#uidOf(appId);
    const descriptor = await makeUserNamespace({ nobody: range.first, app: uid });
    this.#descriptors.push(descriptor);
    return { uid, namespace: `/proc/${process.pid}/fd/${descriptor}` };
  }

  /** Resolves once it is on disk whose number it is. */
  async #uidOf(appId: string): Promise<number> {
    const record = withApp(this.#record, appId);
    const uid = record?.uids.get(appId);
    if (record === undefined || uid === undefined) throw new Error(`all ${this.#options.range.count} users are given away`);
    if (record !== this.#record) {
      this.#record = record;
      const text = writeUserRecord(record);
      this.#written = this.#written.catch(() => undefined).then(() => writeDurably(this.#options.recordFile, text));
      await this.#written;
    }
    return uid;
  }
}

/** Links are not followed: what they lead to is not the app's. */
async function chown(directory: string, uid: number, gid: number): Promise<void> {
  await run('chown', ['-hR', `${uid}:${gid}`, '--', directory]);
}
