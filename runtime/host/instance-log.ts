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
  /** One line without its end; those of a stack trace together. */
  readonly text: string;
  /** The request that it was printed for, as the app says. */
  readonly requestId?: string;
}

/** Where instances' lines go; must not throw and must not block. Implemented by runtime/observability. */
export interface InstanceLogSink {
  write(row: InstanceLogRow): void;
  /** Told how many lines were dropped before they became rows. */
  dropped?(appId: string, lines: number): void;
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

type Stream = 'stdout' | 'stderr';

/** Lines that become one row. */
interface Joined {
  readonly stream: Stream;
  readonly requestId: string | undefined;
  text: string;
  lines: number;
}

/**
 * The log of one instance: lines of instanceLogLineBytesMax, instanceLogLinesPerSecondMax and instanceLogBytesPerSecondMax on
 * average, the rest counted. The lines of a stack trace that come in one piece are one row. A line may begin with a mark of
 * the request that it was printed for (../languages/nodejs/request-lines.cjs): it is cut off, and what it says is the app's word.
 */
export class InstanceLog {
  readonly #sink: InstanceLogSink;
  readonly #clock: Clock;
  readonly #source: Pick<InstanceLogRow, 'appId' | 'service' | 'version' | 'instanceId'>;
  readonly #ended: Promise<void>[] = [];
  readonly #lines: Allowance;
  readonly #bytes: Allowance;
  #droppedLines = 0;
  #stderrTail = Buffer.alloc(0);

  constructor(sink: InstanceLogSink, clock: Clock, source: Pick<InstanceLogRow, 'appId' | 'service' | 'version' | 'instanceId'>) {
    this.#sink = sink;
    this.#clock = clock;
    this.#source = source;
    const nowMs = clock.monotonicMs();
    this.#lines = new Allowance(LIMITS.instanceLogLinesPerSecondMax, nowMs);
    this.#bytes = new Allowance(LIMITS.instanceLogBytesPerSecondMax, nowMs);
  }

  /** The newest instanceStderrTailBytesMax bytes of stderr. */
  get stderrTail(): string {
    return this.#stderrTail.toString('utf8').replaceAll(REQUEST_MARKS, '');
  }

  /** Resolves when all attached streams have ended. */
  get ended(): Promise<void> {
    return Promise.all(this.#ended).then(() => undefined);
  }

  attach(stream: Readable, name: Stream): void {
    if (name === 'stderr') {
      stream.on('data', (chunk: Buffer) => {
        const joined = Buffer.concat([this.#stderrTail, chunk]);
        this.#stderrTail = joined.subarray(Math.max(0, joined.length - LIMITS.instanceStderrTailBytesMax));
      });
    }
    let joined: Joined | undefined;
    const write = (): void => {
      if (joined) this.#writeLimited(joined);
      joined = undefined;
    };
    const onLine = (line: string): void => {
      const requestId = REQUEST_MARK.exec(line)?.[1];
      const text = requestId === undefined ? line : line.slice(MARK_CHARACTERS);
      if (joined && joined.requestId === requestId && isJoined(joined, text)) {
        joined.text += `\n${text}`;
        joined.lines++;
        return;
      }
      write();
      joined = { stream: name, requestId, text, lines: 1 };
    };
    this.#ended.push(readLines(stream, onLine, write));
  }

  /** Says something of the platform's own; never dropped. */
  system(text: string): void {
    this.#write('system', text);
  }

  /** Says how many lines were dropped since the last call, if any. Call it every second and at the end. */
  reportDropped(): void {
    if (this.#droppedLines === 0) return;
    this.#write(
      'system',
      `${this.#droppedLines} log lines were dropped: over ${LIMITS.instanceLogLinesPerSecondMax} lines or ${LIMITS.instanceLogBytesPerSecondMax / 1024} KiB a second`,
    );
    this.#sink.dropped?.(this.#source.appId, this.#droppedLines);
    this.#droppedLines = 0;
  }

  #writeLimited({ stream, requestId, text, lines }: Joined): void {
    const nowMs = this.#clock.monotonicMs();
    if (!this.#lines.has(lines, nowMs) || !this.#bytes.has(text.length, nowMs)) {
      this.#droppedLines += lines;
      return;
    }
    this.#lines.take(lines);
    this.#bytes.take(text.length);
    this.#write(stream, text, requestId);
  }

  #write(stream: InstanceLogRow['stream'], text: string, requestId?: string): void {
    this.#sink.write({
      atMs: this.#clock.nowMs(),
      ...this.#source,
      stream,
      text,
      ...(requestId === undefined ? {} : { requestId }),
    });
  }
}

/** So much a second on average, and BURST_SECONDS' worth at once. */
class Allowance {
  readonly #perSecond: number;
  #left: number;
  #refilledAtMs: number;

  constructor(perSecond: number, nowMs: number) {
    this.#perSecond = perSecond;
    this.#left = perSecond * BURST_SECONDS;
    this.#refilledAtMs = nowMs;
  }

  has(amount: number, nowMs: number): boolean {
    const refill = ((nowMs - this.#refilledAtMs) / 1_000) * this.#perSecond;
    this.#left = Math.min(this.#perSecond * BURST_SECONDS, this.#left + refill);
    this.#refilledAtMs = nowMs;
    return this.#left >= amount;
  }

  take(amount: number): void {
    this.#left -= amount;
  }
}

const REQUEST_MARK = /^\u001e([0-9a-f]{32})\u001f/;
const REQUEST_MARKS = /\u001e[0-9a-f]{32}\u001f/g;
const MARK_CHARACTERS = 34;

/** Frames of Node, Java and Python, and what stands before and after them. */
const CONTINUES = /^(?:\s+\S|Traceback \(most recent call last\):|Caused by: |During handling of the above|The above exception was)/;
const PYTHON_TRACE = /^(?:\S.{0,200}\n)?Traceback \(most recent call last\):\n/;
const PYTHON_FRAME_LAST = /\n\s[^\n]*$/;

function isJoined({ text, lines }: Joined, next: string): boolean {
  if (lines >= LIMITS.instanceLogJoinedLinesMax || text.length + next.length >= LIMITS.instanceLogLineBytesMax) return false;
  // The exception itself stands behind its frames, at the left.
  return CONTINUES.test(next) || (PYTHON_TRACE.test(text) && PYTHON_FRAME_LAST.test(text));
}

const LINE_END = 10;

/**
 * Calls `onLine` with each line of `stream`, its end cut off; a last line needs none. Of a line longer than
 * instanceLogLineBytesMax the rest is dropped, so no stream can make this grow. `onPieceEnd` follows the
 * lines that came in one piece. Resolves when the stream is over.
 */
export function readLines(stream: Readable, onLine: (text: string) => void, onPieceEnd: () => void = () => undefined): Promise<void> {
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
    onPieceEnd();
  });
  return new Promise((resolve) => {
    stream.once('close', () => {
      if (length > 0) flush();
      onPieceEnd();
      resolve();
    });
    stream.on('error', () => undefined);
  });
}
