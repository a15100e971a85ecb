// The check of all rows as the console and the command line follow it: IntegrityApi over the service `datastore-admin`.
import { type IntegrityApi } from '../../admin-console/ports.ts';
import { type CheckEvent, type CheckRequest, type CheckTotals, type Finding } from '../../sdk/contract/admin/integrity.ts';
import { errorBody, toPlatformError } from '../../sdk/contract/errors.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type Rpc } from '../../sdk/contract/wire/client.ts';
import { type Clock, sleep, type Timers } from '../../sdk/support/clock.ts';
import { DATASTORE_ADMIN_SERVICE } from './datastore-control-store.ts';

interface Step {
  readonly rows: number;
  readonly bytes: number;
  readonly families: Readonly<Record<string, number>>;
  readonly findings: readonly Finding[];
  readonly next?: Uint8Array;
}

interface FileStep {
  readonly files: number;
  readonly findings: readonly Finding[];
  readonly next?: string;
}

export class IntegrityReader implements IntegrityApi {
  readonly #rpc: Rpc;
  readonly #clock: Clock;
  readonly #timers: Timers;

  constructor(rpc: Rpc, clock: Clock, timers: Timers) {
    this.#rpc = rpc;
    this.#clock = clock;
    this.#timers = timers;
  }

  async *check(
    appId: string | undefined,
    { repair = false }: CheckRequest,
    { signal }: { readonly signal: AbortSignal },
  ): AsyncGenerator<CheckEvent> {
    const scope = appId === undefined ? {} : { appId };
    const { bytes: bytesExpected } = (await this.#call('storedBytes', scope, signal)) as { readonly bytes: number };
    const families: Record<string, number> = {};
    const totals = { files: 0, rows: 0, bytes: 0, findings: 0, repaired: 0 };
    yield { kind: 'progress', rows: 0, bytes: 0, bytesExpected };
    try {
      const listed = function* (findings: readonly Finding[]): Generator<CheckEvent> {
        for (const finding of findings) {
          if (finding.repaired !== undefined) totals.repaired++;
          if (++totals.findings <= LIMITS.integrityFindingsMax) yield { kind: 'finding', finding };
        }
      };
      // All apps share the files.
      for (let after: string | undefined; ;) {
        const startedMs = this.#clock.monotonicMs();
        const step = (await this.#call('checkFile', after === undefined ? {} : { after }, signal)) as FileStep;
        totals.files += step.files;
        yield* listed(step.findings);
        after = step.next;
        if (after === undefined) break;
        yield { kind: 'progress', rows: 0, bytes: 0, bytesExpected };
        await sleep(this.#timers, this.#clock.monotonicMs() - startedMs, { signal });
      }
      for (let from: Uint8Array | undefined; ;) {
        const startedMs = this.#clock.monotonicMs();
        // Each step stands for itself, so one that broke off with the datastore's process is made again.
        const step = (await this.#call('checkStep', { ...scope, repair, ...(from ? { from } : {}) }, signal)) as Step;
        totals.rows += step.rows;
        totals.bytes += step.bytes;
        for (const [family, rows] of Object.entries(step.families)) families[family] = (families[family] ?? 0) + rows;
        yield* listed(step.findings);
        from = step.next;
        if (!from) break;
        yield { kind: 'progress', rows: totals.rows, bytes: totals.bytes, bytesExpected };
        // As long a pause as the step took: half of the datastore's time stays with its clients at any rate.
        await sleep(this.#timers, this.#clock.monotonicMs() - startedMs, { signal });
      }
      const done: CheckTotals = { ...totals, families };
      yield { kind: 'done', ...done };
    } catch (error) {
      if (signal.aborted) return;
      yield { kind: 'failed', error: errorBody(toPlatformError(error)) };
    }
  }

  #call(method: string, payload: object, signal: AbortSignal): Promise<unknown> {
    return this.#rpc.call(DATASTORE_ADMIN_SERVICE, method, payload, { idempotent: true, signal });
  }
}
