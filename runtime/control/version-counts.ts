// How the versions of a service answer: counted by the router for services that are being watched, read by the control
// plane. Counts live in the router's memory and begin anew with it; nothing but a gradual move of traffic needs them.
import { z } from 'zod';
import { type RequestLogRow, type RequestLogSink } from '../../router/ports.ts';
import { type Rpc } from '../../sdk/contract/wire/client.ts';
import { method, type Service } from '../../sdk/contract/wire/service.ts';
import { type Clock } from '../../sdk/support/clock.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type AnswerCount } from './traffic-migration.ts';

/** By version. */
export type VersionCounts = Readonly<Record<string, AnswerCount>>;

/** Twin: MemoryVersionCounts in sample-deploy.ts. */
export interface VersionCountsReader {
  /** Since the router watches the service, which begins with the first call. Throws RPC_UNAVAILABLE and the like. */
  read(appId: string, service: string): Promise<VersionCounts>;
}

const SERVICE = 'version-counts';
const INTERNAL_ERRORS_FROM = 500;
const NAME_CHARACTERS_MAX = 100;

const question = z.object({ appId: z.string().max(NAME_CHARACTERS_MAX), service: z.string().max(NAME_CHARACTERS_MAX) });
const answer = z.object({ versions: z.record(z.string(), z.object({ requests: z.number(), errors: z.number() })) });

interface Watch {
  readonly appId: string;
  readonly service: string;
  readonly versions: Map<string, { requests: number; errors: number }>;
  askedAtMs: number;
}

/** Counts rows of watched services, then hands them on. */
export class CountedRequestLog implements RequestLogSink {
  readonly #next: RequestLogSink;
  readonly #clock: Clock;
  /** Empty nearly always: then a row costs nothing here. */
  readonly #watches: Watch[] = [];

  constructor(next: RequestLogSink, clock: Clock) {
    this.#next = next;
    this.#clock = clock;
  }

  write(row: RequestLogRow): void {
    this.#next.write(row);
    if (this.#watches.length > 0) this.#count(row);
  }

  /** Counts so far; watches the service from the first call on, as long as somebody asks within versionCountsMs. */
  read(appId: string, service: string): VersionCounts {
    const nowMs = this.#clock.monotonicMs();
    const forgotten = this.#watches.findIndex((watch) => nowMs - watch.askedAtMs > LIMITS.versionCountsMs);
    if (forgotten >= 0) this.#watches.splice(forgotten, 1);
    let watch = this.#find(appId, service);
    if (!watch) {
      watch = { appId, service, versions: new Map(), askedAtMs: nowMs };
      this.#watches.push(watch);
    }
    watch.askedAtMs = nowMs;
    return Object.fromEntries([...watch.versions].map(([version, count]) => [version, { ...count }]));
  }

  service(): Service {
    return { name: SERVICE, methods: { read: method(question, ({ appId, service }) => ({ versions: this.read(appId, service) })) } };
  }

  #count({ appId, service, version, status, errorCode }: RequestLogRow): void {
    const watch = this.#find(appId, service);
    // What the app's quota refuses says nothing about a version.
    if (!watch || errorCode === 'QUOTA_EXCEEDED') return;
    const count = watch.versions.get(version) ?? { requests: 0, errors: 0 };
    count.requests++;
    if (status >= INTERNAL_ERRORS_FROM) count.errors++;
    watch.versions.set(version, count);
  }

  #find(appId: string, service: string): Watch | undefined {
    return this.#watches.find((watch) => watch.appId === appId && watch.service === service);
  }
}

export class RpcVersionCounts implements VersionCountsReader {
  readonly #rpc: Rpc;

  constructor(rpc: Rpc) {
    this.#rpc = rpc;
  }

  async read(appId: string, service: string): Promise<VersionCounts> {
    return answer.parse(await this.#rpc.call(SERVICE, 'read', { appId, service }, { idempotent: true })).versions;
  }
}
