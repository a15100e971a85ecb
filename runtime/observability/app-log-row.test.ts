import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LOG_SEVERITIES } from '../../sdk/contract/admin/logs.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type InstanceLogRow } from '../host/instance-log.ts';
import { appLogRow } from './app-log-row.ts';
import { decodeLogRow, encodeLogRow } from './log-store.ts';

const AT_MS = Date.parse('2026-01-02T03:04:05.000Z');
const line = (text: string, changes: Partial<InstanceLogRow> = {}): InstanceLogRow => ({
  ...{ atMs: AT_MS, appId: 'a', service: 'default', version: 'v1', instanceId: 'i1', stream: 'stdout' as const, text },
  ...changes,
});
const of = (object: unknown): ReturnType<typeof appLogRow> => appLogRow(line(JSON.stringify(object)));
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/;

describe('a line of an app', () => {
  it.each([
    ['stdout', 'INFO'],
    ['stderr', 'ERROR'],
    ['system', 'WARNING'],
  ] as const)('on %s is %s', (stream, severity) => {
    const row = appLogRow(line('hello', { stream }));
    expect(row).toEqual({ kind: 'app', atMs: AT_MS, service: 'default', version: 'v1', instanceId: 'i1', stream, text: 'hello', severity });
  });

  it('loses the colours of terminals, and its control characters their power', () => {
    expect(appLogRow(line('\u001b[31;1mred\u001b[0m\ttab\nnext \u001b]0;title\u0007 \u009b2J \u202egnp')).text).toBe(
      'red\ttab\nnext \ufffd]0;title\ufffd \ufffd2J \ufffdgnp',
    );
  });

  it.each(['{"a":', '[1]', '"text"', '{"a":1} and more', 'null', '{}x', '{"message":"cut'])(
    'that is not one JSON object stays text: %s',
    (text) => {
      expect(appLogRow(line(text))).toMatchObject({ text, severity: 'INFO' });
      expect(appLogRow(line(text))).not.toHaveProperty('fields');
    },
  );

  it('of the platform is never read as JSON', () => {
    expect(appLogRow(line('{"message":"x"}', { stream: 'system' })).text).toBe('{"message":"x"}');
  });
});

describe('a structured line', () => {
  it('has its special fields read, and the rest kept', () => {
    expect(
      of({
        severity: 'warning',
        message: 'slow',
        time: '2026-01-02T03:04:04.500Z',
        'logging.googleapis.com/trace': 'projects/p/traces/0123456789abcdef0123456789abcdef',
        'logging.googleapis.com/spanId': '7',
        'logging.googleapis.com/labels': { tenant: 'a', count: 3, deep: { a: 1 } },
        httpRequest: { requestMethod: 'GET', status: 200 },
        user: 'ada',
      }),
    ).toEqual({
      ...{ kind: 'app', atMs: AT_MS - 500, service: 'default', version: 'v1', instanceId: 'i1', stream: 'stdout' },
      ...{ severity: 'WARNING', text: 'slow', traceId: '0123456789abcdef0123456789abcdef', spanId: '7' },
      labels: { tenant: 'a', count: '3', deep: '{"a":1}' },
      fields: { httpRequest: { requestMethod: 'GET', status: 200 }, user: 'ada' },
    });
  });

  it.each([
    [{ severity: 'ERROR' }, 'ERROR'],
    [{ severity: 500 }, 'ERROR'],
    [{ severity: 'nonsense' }, 'INFO'],
    [{ severity: 'constructor' }, 'INFO'],
    [{ level: 30 }, 'INFO'],
    [{ level: 60 }, 'CRITICAL'],
    [{ level: 'warn' }, 'WARNING'],
    [{ level: 7 }, 'INFO'],
    [{ severity: 'DEBUG', level: 50 }, 'DEBUG'],
    [{}, 'INFO'],
  ])('%j is %s', (object, severity) => {
    expect(of(object).severity).toBe(severity);
  });

  it.each([
    [{ time: '2026-01-02T03:04:04Z' }, -1_000],
    [{ time: AT_MS - 5 }, -5],
    [{ timestamp: { seconds: AT_MS / 1_000 - 2, nanos: 500_000_000 } }, -1_500],
    [{ time: AT_MS + 5_000 }, 0],
  ])('%j is a time that counts', (object, difference) => {
    expect(of(object)).toMatchObject({ atMs: AT_MS + difference });
    expect(of(object)).not.toHaveProperty('fields');
  });

  it.each([{ time: AT_MS - LIMITS.logTimeSlackMs - 1 }, { time: '1970-01-01T00:00:00Z' }, { time: 'noon' }, { timestamp: {} }])(
    '%j is a time that does not, and is kept as a field',
    (object) => {
      expect(of(object)).toMatchObject({ atMs: AT_MS, fields: object });
    },
  );

  it('keeps what it cannot read under its own name', () => {
    const object = { message: { a: 1 }, 'logging.googleapis.com/trace': 'a/b/c', 'logging.googleapis.com/labels': 'x' };
    expect(of(object)).toMatchObject({ text: '', fields: object });
    expect(of({ msg: 'pino' })).toMatchObject({ text: 'pino' });
  });

  it('is bounded in width and depth, whatever its names', () => {
    const wide = Object.fromEntries(Array.from({ length: 200 }, (_, index) => [`f${index}`, index]));
    expect(Object.keys(of(wide).fields ?? {})).toHaveLength(LIMITS.logFieldsMax);
    expect(of({ list: Array.from({ length: 200 }) }).fields?.['list']).toHaveLength(LIMITS.logFieldsMax);
    const deep = `${'{"a":'.repeat(2_000)}1${'}'.repeat(2_000)}`;
    expect(JSON.stringify(appLogRow(line(deep)).fields)).toBe(
      `${'{"a":'.repeat(LIMITS.logFieldDepthMax)}"…"${'}'.repeat(LIMITS.logFieldDepthMax)}`,
    );
    const row = appLogRow(line('{"__proto__":{"severity":"ERROR"},"constructor":1,"b\\u001b":"c\\u001b[2J\\u009b"}'));
    expect(JSON.stringify(row.fields)).toBe('{"__proto__":{"severity":"ERROR"},"constructor":1,"b\ufffd":"c\ufffd"}');
    expect(row.severity).toBe('INFO');
  });
});

describe('any bytes', () => {
  it('become a row that can be stored and shown', () => {
    const text = fc.oneof(
      fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes).toString('utf8')),
      fc.string({ unit: 'binary', maxLength: 100 }),
      fc.json().map((json) => (json.startsWith('{') ? json : `{"message":${json}}`)),
      fc
        .dictionary(
          fc.constantFrom('severity', 'level', 'message', 'msg', 'time', 'timestamp', 'logging.googleapis.com/labels', 'x'),
          fc.jsonValue(),
        )
        .map((object) => JSON.stringify(object)),
    );
    fc.assert(
      fc.property(text, fc.constantFrom('stdout' as const, 'stderr' as const), (given, stream) => {
        const row = appLogRow(line(given, { stream }));
        expect(LOG_SEVERITIES).toContain(row.severity);
        expect(row.atMs).toBeLessThanOrEqual(AT_MS);
        expect(row.atMs).toBeGreaterThanOrEqual(AT_MS - LIMITS.logTimeSlackMs);
        expect(row.text).not.toMatch(CONTROL);
        expect(Object.values(row.labels ?? {}).join('')).not.toMatch(CONTROL);
        const stored = encodeLogRow(row);
        expect(stored.indexOf('\n')).toBe(stored.length - 1);
        expect(decodeLogRow(stored)).toEqual(JSON.parse(JSON.stringify(row)));
      }),
      { numRuns: 500 },
    );
  });
});
