// What an app prints, cut into lines and kept within limits before anyone else sees it.
import { type Readable } from 'node:stream';
import { type Clock } from '../../sdk/support/clock.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';

export interface InstanceLogRow {
  readonly atMs: number;
  readonly appId: string;
  readonly service: string;
  readonly version: string;
  readonly instanceId: string;
  /** `system`: said by the platform about this instance. */
  readonly stream: 'stdout' | 'stderr' | 'system';
  /** One line without its end. */
  readonly text: string;
}

/** Where instances' lines go; must not throw and must not block. Implemented by runtime/observability. */
export interface InstanceLogSink {
  write(row: InstanceLogRow): void;
}

/** Keeps rows in memory, for tests: the newest `rowsMax`. */
export class MemoryInstanceLogSink implements InstanceLogSink {
  readonly rows: InstanceLogRow[] = [];
  readonly #rowsMax: number;

  constructor(rowsMax = 10_000) {
    this.#rowsMax = rowsMax;
  }

  write(row: InstanceLogRow): void {
    if (this.rows.length >= this.#rowsMax) this.rows.shift();
    this.rows.push(row);
  }
}

/** An app that starts up may log this many seconds' worth at once. */
const BURST_SECONDS = 4;

/** The log of one instance: lines of instanceLogLineBytesMax, instanceLogLinesPerSecondMax on average, the rest counted. */
export class InstanceLog {
  readonly #sink: InstanceLogSink;
  readonly #clock: Clock;
  readonly #source: Pick<InstanceLogRow, 'appId' | 'service' | 'version' | 'instanceId'>;
  readonly #ended: Promise<void>[] = [];
  #linesAllowed = LIMITS.instanceLogLinesPerSecondMax * BURST_SECONDS;
  #refilledAtMs: number;
  #droppedLines = 0;
  #stderrTail = Buffer.alloc(0);

  constructor(sink: InstanceLogSink, clock: Clock, source: Pick<InstanceLogRow, 'appId' | 'service' | 'version' | 'instanceId'>) {
    this.#sink = sink;
    this.#clock = clock;
    this.#source = source;
    this.#refilledAtMs = clock.monotonicMs();
  }

  /** The newest instanceStderrTailBytesMax bytes of stderr. */
  get stderrTail(): string {
    return this.#stderrTail.toString('utf8');
  }

  /** Resolves when all attached streams have ended. */
  get ended(): Promise<void> {
    return Promise.all(this.#ended).then(() => undefined);
  }

  attach(stream: Readable, name: 'stdout' | 'stderr'): void {
    if (name === 'stderr') {
      stream.on('data', (chunk: Buffer) => {
        const joined = Buffer.concat([this.#stderrTail, chunk]);
        this.#stderrTail = joined.subarray(Math.max(0, joined.length - LIMITS.instanceStderrTailBytesMax));
      });
    }
    this.#ended.push(
      readLines(stream, (text) => {
        this.#writeLimited(name, text);
      }),
    );
  }

  /** Says something of the platform's own; never dropped. */
  system(text: string): void {
    this.#write('system', text);
  }

  /** Says how many lines were dropped since the last call, if any. Call it every second and at the end. */
  reportDropped(): void {
    if (this.#droppedLines === 0) return;
    this.#write('system', `${this.#droppedLines} log lines were dropped: over ${LIMITS.instanceLogLinesPerSecondMax} lines a second`);
    this.#droppedLines = 0;
  }

  #writeLimited(stream: 'stdout' | 'stderr', text: string): void {
    const nowMs = this.#clock.monotonicMs();
    const rate = LIMITS.instanceLogLinesPerSecondMax;
    this.#linesAllowed = Math.min(rate * BURST_SECONDS, this.#linesAllowed + ((nowMs - this.#refilledAtMs) / 1_000) * rate);
    this.#refilledAtMs = nowMs;
    if (this.#linesAllowed < 1) {
      this.#droppedLines++;
      return;
    }
    this.#linesAllowed--;
    this.#write(stream, text);
  }

  #write(stream: InstanceLogRow['stream'], text: string): void {
    this.#sink.write({ atMs: this.#clock.nowMs(), ...this.#source, stream, text });
  }
}

const LINE_END = 10;

/**
 * Calls `onLine` with each line of `stream`, its end cut off; a last line needs none. Of a line longer than
 * instanceLogLineBytesMax the rest is dropped, so no stream can make this grow. Resolves when the stream is over.
 */
export function readLines(stream: Readable, onLine: (text: string) => void): Promise<void> {
  let pieces: Buffer[] = [];
  let length = 0;
  const add = (piece: Buffer): void => {
    const kept = piece.subarray(0, LIMITS.instanceLogLineBytesMax - length);
    if (kept.length === 0) return;
    pieces.push(kept);
    length += kept.length;
  };
  const flush = (): void => {
    const line = Buffer.concat(pieces).toString('utf8');
    pieces = [];
    length = 0;
    onLine(line.endsWith('\r') ? line.slice(0, -1) : line);
  };
  stream.on('data', (chunk: Buffer) => {
    let start = 0;
    for (let end = chunk.indexOf(LINE_END); end >= 0; end = chunk.indexOf(LINE_END, start)) {
      add(chunk.subarray(start, end));
      flush();
      start = end + 1;
    }
    add(chunk.subarray(start));
  });
  return new Promise((resolve) => {
    stream.once('close', () => {
      if (length > 0) flush();
      resolve();
    });
    stream.on('error', () => undefined);
  });
}
