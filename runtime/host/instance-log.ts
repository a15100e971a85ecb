// What an app prints, cut into lines and kept within limits before anyone else sees it.
import { type Readable } from 'node:stream';
import { type Clock, type Timers } from '../../sdk/support/clock.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { Allowance } from './allowance.ts';
import { LineSplitter } from './line-splitter.ts';
import { PausingReader } from './pausing-reader.ts';

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
 *
 * An app that prints more than that, or in more pieces, is read every instanceLogPauseMs only: its writes wait once the kernel's
 * buffer is full, on its own time. Reading as fast as it prints would be on the platform's, which goes before every app.
 */
export class InstanceLog {
  readonly #sink: InstanceLogSink;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #source: Pick<InstanceLogRow, 'appId' | 'service' | 'version' | 'instanceId'>;
  readonly #readers: PausingReader[] = [];
  readonly #lines: Allowance;
  readonly #bytes: Allowance;
  readonly #pieces: Allowance;
  #droppedLines = 0;
  #stderrTail = Buffer.alloc(0);

  constructor(
    sink: InstanceLogSink,
    clock: Clock,
    timers: Timers,
    source: Pick<InstanceLogRow, 'appId' | 'service' | 'version' | 'instanceId'>,
  ) {
    this.#sink = sink;
    this.#clock = clock;
    this.#timers = timers;
    this.#source = source;
    const nowMs = clock.monotonicMs();
    this.#lines = new Allowance(LIMITS.instanceLogLinesPerSecondMax, nowMs);
    this.#bytes = new Allowance(LIMITS.instanceLogBytesPerSecondMax, nowMs);
    // A piece for each line is what a program writes that prints line by line.
    this.#pieces = new Allowance(LIMITS.instanceLogLinesPerSecondMax, nowMs);
  }

  /** The newest instanceStderrTailBytesMax bytes of stderr. */
  get stderrTail(): string {
    return this.#stderrTail.toString('utf8').replaceAll(REQUEST_MARKS, '');
  }

  /** Call it when nobody is left who writes: reads the rest without a pause, and resolves when all attached streams have ended. */
  async drain(): Promise<void> {
    await Promise.all(this.#readers.map((reader) => reader.drain()));
  }

  attach(stream: Readable, name: Stream): void {
    let joined: Joined | undefined;
    const write = (): void => {
      if (joined) this.#writeLimited(joined);
      joined = undefined;
    };
    const lines = new LineSplitter({
      line: (line) => {
        const requestId = REQUEST_MARK.exec(line)?.[1];
        const text = requestId === undefined ? line : line.slice(MARK_CHARACTERS);
        if (joined && joined.requestId === requestId && isJoined(joined, text)) {
          joined.text += `\n${text}`;
          joined.lines++;
          return;
        }
        write();
        joined = { stream: name, requestId, text, lines: 1 };
      },
      // Not one more has room, so neither has what waits to be joined.
      isUnwanted: () => !this.#lines.has(1),
      unwanted: () => {
        this.#droppedLines++;
      },
    });
    const onPiece = (piece: Buffer): boolean => {
      if (name === 'stderr') this.#keepTail(piece);
      this.#refill();
      const droppedBefore = this.#droppedLines;
      const bytesCut = lines.write(piece);
      write();
      const isOver = bytesCut > 0 || this.#droppedLines > droppedBefore || !this.#pieces.has(1);
      if (!isOver) this.#pieces.take(1);
      return isOver;
    };
    const onEnd = (): void => {
      this.#refill();
      lines.end();
      write();
    };
    this.#readers.push(new PausingReader(stream, this.#timers, { pauseMs: LIMITS.instanceLogPauseMs, onPiece, onEnd }));
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

  #keepTail(piece: Buffer): void {
    const joined = Buffer.concat([this.#stderrTail, piece.subarray(-LIMITS.instanceStderrTailBytesMax)]);
    this.#stderrTail = joined.subarray(-LIMITS.instanceStderrTailBytesMax);
  }

  /** Once for each piece: within one, time stands still. */
  #refill(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const allowance of [this.#lines, this.#bytes, this.#pieces]) allowance.refill(nowMs);
  }

  #writeLimited({ stream, requestId, text, lines }: Joined): void {
    if (!this.#lines.has(lines) || !this.#bytes.has(text.length)) {
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
