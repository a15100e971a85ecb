// The platform's own log: one JSON line each on stderr, through pino.
import { pino } from 'pino';
import { type Log, type LogFields } from '../../sdk/support/log.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** Writes synchronously: what a process says just before it dies is what one needs to read. */
export function createProcessLog(level: LogLevel, fields: LogFields = {}): Log {
  const destination = pino.destination({ fd: 2, sync: true });
  return new PinoLog(
    pino({ level, base: { ...fields }, serializers: { error: pino.stdSerializers.err, cause: pino.stdSerializers.err } }, destination),
  );
}

type Pino = ReturnType<typeof pino>;

class PinoLog implements Log {
  readonly #pino: Pino;

  constructor(logger: Pino) {
    this.#pino = logger;
  }

  debug(message: string, fields: LogFields = {}): void {
    this.#pino.debug(fields, message);
  }

  info(message: string, fields: LogFields = {}): void {
    this.#pino.info(fields, message);
  }

  warn(message: string, fields: LogFields = {}): void {
    this.#pino.warn(fields, message);
  }

  error(message: string, fields: LogFields = {}): void {
    this.#pino.error(fields, message);
  }

  child(fields: LogFields): Log {
    return new PinoLog(this.#pino.child(fields));
  }
}
