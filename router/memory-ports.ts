// The ports' in-memory twins: for tests, benches and simulations.
import { PlatformError } from '../sdk/contract/errors.ts';
import { type InstanceLease, type InstanceSource, type InstanceTarget, type LeaseOutcome } from './ports.ts';
import {
  type Accounts,
  type BlobReader,
  type RequestLogRow,
  type RequestLogSink,
  type RouteTableSource,
  type RouteTableSpec,
  type SignedIn,
  type SignInForm,
  type Unsubscribe,
} from './ports.ts';

/** Routes that a test sets. */
export class MemoryRouteTableSource implements RouteTableSource {
  readonly #listeners = new Set<(table: RouteTableSpec) => void>();
  #table: RouteTableSpec | undefined;

  constructor(table?: RouteTableSpec) {
    this.#table = table;
  }

  set(table: RouteTableSpec): void {
    this.#table = table;
    for (const listener of this.#listeners) listener(table);
  }

  watch(onTable: (table: RouteTableSpec) => void): Unsubscribe {
    this.#listeners.add(onTable);
    if (this.#table) onTable(this.#table);
    return () => {
      this.#listeners.delete(onTable);
    };
  }
}

export interface Released {
  readonly instanceId: string;
  readonly outcome: LeaseOutcome;
}

/** Instances that exist already: takes the listed sockets in turn, or throws what it is told to. */
export class MemoryInstanceSource implements InstanceSource {
  /** In the order in which they are given out; the last one is given out again and again. */
  socketPaths: string[];
  failure: Error | undefined;
  readonly acquired: InstanceTarget[] = [];
  readonly released: Released[] = [];
  #given = 0;

  constructor(...socketPaths: readonly string[]) {
    this.socketPaths = [...socketPaths];
  }

  /** Leases that were not given back. */
  get leasesOpen(): number {
    return this.acquired.length - this.released.length;
  }

  acquire(target: InstanceTarget, options: { readonly signal: AbortSignal }): Promise<InstanceLease> {
    if (this.failure) return Promise.reject(this.failure);
    if (options.signal.aborted) return Promise.reject(options.signal.reason as Error);
    const index = Math.min(this.#given, this.socketPaths.length - 1);
    this.#given++;
    const socketPath = this.socketPaths[index] ?? '';
    this.acquired.push(target);
    const instanceId = `instance-${index}`;
    let isReleased = false;
    return Promise.resolve({
      instanceId,
      socketPath,
      isLoadingRequest: this.#given === 1,
      pendingMs: 0,
      release: (outcome) => {
        if (isReleased) throw new Error('A lease was released twice');
        isReleased = true;
        this.released.push({ instanceId, outcome });
      },
    });
  }
}

/** Keeps rows, and lets a test wait for them. */
export class MemoryRequestLog implements RequestLogSink {
  readonly rows: RequestLogRow[] = [];
  readonly #waiting: { readonly count: number; readonly resolve: (rows: readonly RequestLogRow[]) => void }[] = [];

  write(row: RequestLogRow): void {
    this.rows.push(row);
    for (const waiting of this.#waiting) if (this.rows.length >= waiting.count) waiting.resolve(this.rows);
  }

  /** Resolves when there are at least `count` rows. */
  atLeast(count: number): Promise<readonly RequestLogRow[]> {
    return new Promise((resolve) => {
      if (this.rows.length >= count) resolve(this.rows);
      else this.#waiting.push({ count, resolve });
    });
  }
}

/** Blobs as files whose paths a test names. */
export class MemoryBlobReader implements BlobReader {
  readonly paths = new Map<string, string>();

  pathOf(sha256: string): string {
    return this.paths.get(sha256) ?? `/nonexistent/${sha256}`;
  }
}

/** Accounts that a test names, with passwords in the clear. */
export class MemoryAccounts implements Accounts {
  readonly kind = 'password';
  readonly byEmail = new Map<string, SignedIn & { readonly password: string }>();
  readonly forms: SignInForm[] = [];
  /** What the next calls throw. */
  failure: Error | undefined;

  epochOf(userId: string): number | undefined {
    if (this.failure) throw this.failure;
    return [...this.byEmail.values()].find((account) => account.userId === userId)?.epoch;
  }

  signIn(form: SignInForm): Promise<SignedIn> {
    this.forms.push(form);
    const account = this.byEmail.get(form.email);
    const matches = account !== undefined && account.password === form.password;
    if (this.failure || !matches) return Promise.reject(this.failure ?? new PlatformError('LOGIN_FAILED'));
    const { userId, email, isAdmin, epoch } = account;
    return Promise.resolve({ userId, email, isAdmin, epoch });
  }
}
