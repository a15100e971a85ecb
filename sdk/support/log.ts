// The platform's own log as a port. runtime/observability adapts it to pino; tests use MemoryLog.

export type LogFields = Readonly<Record<string, unknown>>;

/** A structured log. Messages are constant sentences, values go into fields. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A log that adds `fields` to each line. */
  child(fields: LogFields): Log;
}

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly message: string;
  readonly fields: LogFields;
}

/** Keeps the newest `linesMax` lines in memory, for tests. */
export class MemoryLog implements Log {
  readonly lines: LogLine[];
  readonly #fields: LogFields;
  readonly #linesMax: number;

  constructor(linesMax = 10_000, fields: LogFields = {}, lines: LogLine[] = []) {
    this.#linesMax = linesMax;
    this.#fields = fields;
    this.lines = lines;
  }

  debug(message: string, fields: LogFields = {}): void {
    this.#add('debug', message, fields);
  }

  info(message: string, fields: LogFields = {}): void {
    this.#add('info', message, fields);
  }

  warn(message: string, fields: LogFields = {}): void {
    this.#add('warn', message, fields);
  }

  error(message: string, fields: LogFields = {}): void {
    this.#add('error', message, fields);
  }

  child(fields: LogFields): Log {
    return new MemoryLog(this.#linesMax, { ...this.#fields, ...fields }, this.lines);
  }

  #add(level: LogLine['level'], message: string, fields: LogFields): void {
    if (this.lines.length >= this.#linesMax) this.lines.shift();
    this.lines.push({ level, message, fields: { ...this.#fields, ...fields } });
  }
}
