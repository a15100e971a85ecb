// Tells when an app listens, and gives its socket a name that the app cannot change.
//
// The app makes its socket in a directory that it may write, so it could put a link to any socket of the host there and
// have the router talk to that. So the platform never connects by that name: it opens what is there without following
// links, checks that it is a socket, and publishes a link to the open descriptor, which leads to that very socket
// whatever becomes of the name.
import { closeSync, constants, existsSync, fstatSync, type FSWatcher, openSync, renameSync, rmSync, symlinkSync, watch } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { type Cancel, type Timers } from '../../sdk/support/clock.ts';
import { APP_SOCKET, RUNTIME_MARK } from './instance.ts';

/** Between the file's appearance and `listen` a connection is refused; the gap is microseconds. */
const RETRY_MS = 2;
const CANDIDATE = '.app.sock';
/** An app makes its socket once or a few times. One that does nothing else is not followed any further. */
const CHANGES_MAX = 1_000;
/** Linux: opens a name and nothing behind it. Node has no constant for it. */
const O_PATH = 0o10_000_000;

export interface AppSocketOptions {
  /** Where the link is published as `app.sock`: not writable for the app. */
  readonly directory: string;
  /** The directory where the app makes its socket; undefined until it is there. */
  readonly locate: () => string | undefined;
  /** A part of the start is over: the language's own program runs; the app has called listen. Once each, in any order. */
  readonly onPhase?: (phase: 'runtime' | 'load') => void;
  /** The app accepts connections; called again when it listens anew. */
  readonly onListening: () => void;
}

export class AppSocket {
  readonly #timers: Timers;
  readonly #options: AppSocketOptions;
  #watched: string | undefined;
  #watcher: FSWatcher | undefined;
  #cancel: Cancel | undefined;
  #descriptor: number | undefined;
  #probing = false;
  #again = false;
  #changes = 0;
  #closed = false;
  readonly #phasesSeen = new Set<'runtime' | 'load'>();

  constructor(timers: Timers, options: AppSocketOptions) {
    this.#timers = timers;
    this.#options = options;
  }

  /** Looks for the directory every two milliseconds until it is there, then waits for changes of it. */
  start(): void {
    const found = this.#options.locate();
    if (found === undefined) {
      this.#soon(() => {
        this.start();
      });
      return;
    }
    this.#watched = found;
    try {
      this.#watcher = watch(found, () => {
        this.#onChange();
      });
    } catch {
      // The app has ended already, and its directory with it.
      return;
    }
    this.#watcher.on('error', () => undefined);
    this.#check();
  }

  close(): void {
    this.#closed = true;
    this.#watcher?.close();
    this.#cancel?.();
    rmSync(join(this.#options.directory, APP_SOCKET), { force: true });
    this.#replaceDescriptor(undefined);
  }

  #onChange(): void {
    if (++this.#changes > CHANGES_MAX) this.#watcher?.close();
    else this.#check();
  }

  #check(): void {
    if (!this.#phasesSeen.has('runtime') && existsSync(join(this.#watched ?? '', RUNTIME_MARK))) this.#sawPhase('runtime');
    this.#again = true;
    if (this.#probing || this.#closed) return;
    this.#again = false;
    const candidate = this.#openCandidate();
    if (candidate === undefined) return;
    this.#sawPhase('load');
    this.#probing = true;
    const socket = connect(candidate.path);
    const settle = (listening: boolean): void => {
      this.#probing = false;
      socket.destroy();
      if (listening && !this.#closed) this.#publish(candidate);
      else closeQuietly(candidate.descriptor);
      if (!listening || this.#again) {
        this.#soon(() => {
          this.#check();
        });
      }
    };
    socket.once('connect', () => {
      settle(true);
    });
    socket.once('error', () => {
      settle(false);
    });
  }

  #sawPhase(phase: 'runtime' | 'load'): void {
    if (this.#phasesSeen.has(phase)) return;
    this.#phasesSeen.add(phase);
    this.#options.onPhase?.(phase);
  }

  #soon(action: () => void): void {
    this.#cancel?.();
    if (!this.#closed) this.#cancel = this.#timers.after(RETRY_MS, action);
  }

  /** Undefined when there is no socket by that name. */
  #openCandidate(): Candidate | undefined {
    const path = join(this.#watched ?? '', APP_SOCKET);
    // Only Linux opens sockets by name; elsewhere there is no sandbox either, so nothing is lost.
    if (process.platform !== 'linux') return { path, descriptor: undefined };
    let descriptor: number;
    try {
      descriptor = openSync(path, O_PATH | constants.O_NOFOLLOW);
    } catch {
      return undefined;
    }
    if (fstatSync(descriptor).isSocket()) return { path: `/proc/${process.pid}/fd/${descriptor}`, descriptor };
    closeQuietly(descriptor);
    return undefined;
  }

  #publish({ path, descriptor }: Candidate): void {
    const { directory, onListening } = this.#options;
    const link = join(directory, CANDIDATE);
    try {
      rmSync(link, { force: true });
      symlinkSync(path, link);
      renameSync(link, join(directory, APP_SOCKET));
    } catch {
      // The instance's directory is gone, so nobody can ask for it any more.
      closeQuietly(descriptor);
      return;
    }
    this.#replaceDescriptor(descriptor);
    onListening();
  }

  #replaceDescriptor(next: number | undefined): void {
    closeQuietly(this.#descriptor);
    this.#descriptor = next;
  }
}

interface Candidate {
  readonly path: string;
  readonly descriptor: number | undefined;
}

function closeQuietly(descriptor: number | undefined): void {
  if (descriptor !== undefined) closeSync(descriptor);
}
