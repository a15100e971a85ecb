// Sends lines of an export in batches, a few at the same time, and knows up to where all are written.
import { type ImportFailure, type ImportMode, type ImportResult } from '../contract/admin/transfer.ts';
import { PlatformError } from '../contract/errors.ts';
import { LIMITS } from '../contract/limits.ts';
import { sleep } from '../support/clock.ts';
import { type CommandContext } from './command-context.ts';

export interface ImportWay {
  readonly app: string;
  readonly from: string;
  readonly mode: ImportMode;
  readonly skip: boolean;
}

export interface Batch {
  readonly file: string;
  /** Of its first line in the file, from 1. */
  readonly firstLine: number;
  readonly lines: readonly Buffer[];
  readonly bytes: number;
  /** Whether an earlier run may have written some of it. */
  readonly mayExist: boolean;
}

export interface Refused {
  readonly file: string;
  readonly line: number;
  readonly failure: ImportFailure;
  readonly text: Buffer;
}

const ATTEMPTS_MAX = 8;
const PAUSE_MS = 100;
const LINE_END = Buffer.from('\n');

export class ImportSender {
  readonly #context: CommandContext;
  readonly #way: ImportWay;

  constructor(context: CommandContext, way: ImportWay) {
    this.#context = context;
    this.#way = way;
  }

  /** How many entities are written now that were not, and the lines that are refused. Throws what has nothing to do with a line. */
  async send(batch: Batch): Promise<{ readonly written: number; readonly refused: readonly Refused[] }> {
    for (let attempt = 1; ; attempt++) {
      try {
        const { written, failures } = await this.#post(batch);
        // Written by a try whose answer was lost, or by the run before.
        const isThere = ({ error }: ImportFailure): boolean =>
          (batch.mayExist || attempt > 1) && this.#way.mode === 'insert' && error.code === 'DS_ALREADY_EXISTS';
        const refused = failures.filter((failure) => !isThere(failure));
        if (!this.#way.skip && refused.length === 0 && failures.length > 0) return await this.#behind(batch, failures, written);
        return { written, refused: refused.map((failure) => refusedLine(batch, failure)) };
      } catch (error) {
        const mayRepeat = error instanceof PlatformError && (error.retryable || error.code === 'RPC_CONNECTION_LOST');
        if (!mayRepeat || attempt === ATTEMPTS_MAX || this.#context.signal.aborted) throw error;
        await sleep(this.#context.timers, PAUSE_MS * 2 ** attempt, { signal: this.#context.signal });
      }
    }
  }

  /** The server stopped at a line that is no failure: what stands behind it. */
  async #behind(
    batch: Batch,
    failures: readonly ImportFailure[],
    written: number,
  ): Promise<{ readonly written: number; readonly refused: readonly Refused[] }> {
    const done = failures[0]?.line ?? 0;
    const lines = batch.lines.slice(done);
    if (lines.length === 0) return { written, refused: [] };
    const rest = await this.send({ ...batch, firstLine: batch.firstLine + done, lines, mayExist: true });
    return { written: written + rest.written, refused: rest.refused };
  }

  #post({ lines }: Batch): Promise<ImportResult> {
    const { app, from, mode, skip } = this.#way;
    const query = new URLSearchParams({ mode, from, skip: skip ? '1' : '0' });
    return this.#context.client.call<ImportResult>('POST', `/apps/${encodeURIComponent(app)}/datastore/import?${query.toString()}`, {
      bytes: Buffer.concat(lines.flatMap((line) => [line, LINE_END])),
      contentType: 'application/x-ndjson',
      signal: this.#context.signal,
    });
  }
}

/** Lines as batches of bounded size, each within one file. */
export async function* batchesOf(
  file: string,
  lines: AsyncIterable<Buffer>,
  skipLines: number,
  mayExistLines: number,
): AsyncGenerator<Batch> {
  let [held, bytes, line, firstLine]: [Buffer[], number, number, number] = [[], 0, 0, skipLines + 1];
  const take = (): Batch => {
    const batch = { file, firstLine, lines: held, bytes, mayExist: firstLine <= skipLines + mayExistLines };
    [held, bytes, firstLine] = [[], 0, line + 1];
    return batch;
  };
  for await (const text of lines) {
    if (++line <= skipLines) continue;
    held.push(text);
    bytes += text.length;
    if (bytes >= LIMITS.importCommitBytesMax || held.length >= LIMITS.commitMutationsMax) yield take();
  }
  if (held.length > 0) yield take();
}

function refusedLine({ file, firstLine, lines }: Batch, failure: ImportFailure): Refused {
  return { file, line: firstLine + failure.line - 1, failure, text: lines[failure.line - 1] ?? Buffer.alloc(0) };
}
