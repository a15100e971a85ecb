// Tells when an app listens, and keeps its socket where only the platform can name it.
//
// The app makes `app/app.sock` in a directory that it may write, so it could put a link to any socket of the host there and
// have the router talk to that. Therefore the platform never connects by that path: it makes a hard link (which follows no
// symbolic link) in the directory above, which is read-only inside, and checks that what it linked is a socket.
import { type FSWatcher, linkSync, lstatSync, renameSync, rmSync, watch } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { type Cancel, type Timers } from '../../sdk/support/clock.ts';
import { APP_SOCKET } from './instance.ts';

/** Between the file's appearance and `listen` a connection is refused; the gap is microseconds. */
const RETRY_MS = 2;
const CANDIDATE = '.app.sock';

export class AppSocket {
  readonly #directory: string;
  readonly #timers: Timers;
  readonly #onListening: () => void;
  #watcher: FSWatcher | undefined;
  #retry: Cancel | undefined;
  #probing = false;
  #changed = false;

  /** `directory` is the instance's, with `app` below it. `onListening` may be called again when the app listens anew. */
  constructor(directory: string, timers: Timers, onListening: () => void) {
    this.#directory = directory;
    this.#timers = timers;
    this.#onListening = onListening;
  }

  /** Call it before the app starts. */
  start(): void {
    this.#watcher = watch(join(this.#directory, 'app'), (_event, name) => {
      if (name === APP_SOCKET) this.#check();
    });
    this.#watcher.on('error', () => undefined);
  }

  close(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
    this.#retry?.();
  }

  #check(): void {
    this.#changed = true;
    if (this.#probing || !this.#watcher) return;
    this.#changed = false;
    if (!this.#linkCandidate()) return;
    this.#probing = true;
    const socket = connect(join(this.#directory, CANDIDATE));
    const settle = (listening: boolean): void => {
      this.#probing = false;
      socket.destroy();
      if (!this.#watcher) return;
      if (listening) this.#publish();
      if (!listening || this.#changed) this.#checkSoon();
    };
    socket.once('connect', () => {
      settle(true);
    });
    socket.once('error', () => {
      settle(false);
    });
  }

  #checkSoon(): void {
    this.#retry?.();
    this.#retry = this.#timers.after(RETRY_MS, () => {
      this.#check();
    });
  }

  #linkCandidate(): boolean {
    const candidate = join(this.#directory, CANDIDATE);
    try {
      rmSync(candidate, { force: true });
      linkSync(join(this.#directory, 'app', APP_SOCKET), candidate);
      return lstatSync(candidate).isSocket();
    } catch {
      // It is gone again, or not something that can be linked; the next change is looked at anew.
      return false;
    }
  }

  #publish(): void {
    try {
      renameSync(join(this.#directory, CANDIDATE), join(this.#directory, APP_SOCKET));
    } catch {
      return;
    }
    this.#onListening();
  }
}
