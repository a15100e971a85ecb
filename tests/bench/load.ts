// HTTP load from a process of its own.
import { fork } from 'node:child_process';
import { join } from 'node:path';

interface LoadTarget {
  readonly port: number;
  /** The Host header. */
  readonly host: string;
  readonly path: string;
}

export type LoadJob =
  | (LoadTarget & { readonly kind: 'open'; readonly steps: readonly { readonly perSecond: number; readonly durationMs: number }[] })
  | (LoadTarget & { readonly kind: 'closed'; readonly clients: number; readonly durationMs: number });

export interface LoadSample {
  /** When it was to be sent, in milliseconds from the beginning. */
  readonly dueMs: number;
  /** From then until the last byte of the answer: waiting to be sent counts, so that no delay hides another. */
  readonly latencyMs: number;
  /** 0 when no answer came. */
  readonly status: number;
}

/** Sends it all and waits for every answer. */
export function sendLoad(job: LoadJob): Promise<readonly LoadSample[]> {
  return new Promise((resolve, reject) => {
    const child = fork(join(import.meta.dirname, 'load-parts', 'generator.ts'), { execArgv: ['--import', 'tsx'] });
    child.once('message', (samples) => {
      resolve(samples as LoadSample[]);
    });
    child.once('exit', (code) => {
      reject(new Error(`The load ended with ${String(code)} before it told what it measured`));
    });
    child.send(job);
  });
}

/** The `share` quantile (0 … 1) by nearest rank; NaN of nothing. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

export const latenciesOf = (samples: readonly LoadSample[]): number[] => samples.map(({ latencyMs }) => latencyMs);

export const errorsOf = (samples: readonly LoadSample[]): number => samples.filter(({ status }) => status !== 200).length;
