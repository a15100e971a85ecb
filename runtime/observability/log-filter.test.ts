import { describe, expect, it } from 'vitest';
import { type LogQuery } from '../../admin-console/ports.ts';
import { type AppLogRow, type RequestRow } from '../../sdk/contract/admin/logs.ts';
import { logFilter } from './log-filter.ts';

const ID = '0123456789abcdef0123456789abcdef';
const TRACE = 'fedcba9876543210fedcba9876543210';
const request: RequestRow = {
  ...{ kind: 'request', atMs: 100_000, service: 'default', version: 'v1', instanceId: 'i1', requestId: ID, traceId: TRACE, method: 'GET' },
  ...{ target: '/api/books?limit=5', status: 404, latencyMs: 250, responseBytes: 9, isLoadingRequest: false },
};
const line: AppLogRow = {
  ...{ kind: 'app', atMs: 100_100, service: 'default', version: 'v1', instanceId: 'i1', stream: 'stdout', severity: 'NOTICE' },
  ...{ text: 'Found nothing', requestId: ID, fields: { shelf: 'top' }, labels: { tenant: 'blue' } },
};
const query = (changes: Partial<LogQuery>): LogQuery => ({ lines: 10, follow: false, marks: false, source: 'all', ...changes });
const fits = (changes: Partial<LogQuery>): readonly [request: boolean, line: boolean] => {
  const filter = logFilter(query(changes));
  return [filter.kinds.includes('request') && filter.fits(request), filter.kinds.includes('app') && filter.fits(line)];
};

describe('a filter of a log', () => {
  it.each<[Partial<LogQuery>, boolean, boolean]>([
    [{}, true, true],
    [{ source: 'app' }, false, true],
    [{ service: 'api' }, false, false],
    [{ version: 'v1', instance: 'i1' }, true, true],
    [{ instance: 'i2' }, false, false],
    [{ severity: 'DEFAULT' }, true, true],
    [{ severity: 'NOTICE' }, true, true],
    [{ severity: 'WARNING' }, true, false],
    [{ severity: 'ERROR' }, false, false],
    [{ text: 'NOTHING' }, false, true],
    [{ text: 'shelf' }, false, true],
    [{ text: 'blue' }, false, true],
    [{ text: 'books' }, true, false],
    [{ regex: '^Found' }, false, true],
    [{ regex: '(?i)get /API' }, true, false],
    [{ sinceMs: 100_000 }, true, true],
    [{ sinceMs: 100_050 }, false, true],
    [{ untilMs: 100_100 }, true, false],
    [{ request: ID }, true, true],
    [{ request: TRACE }, true, false],
    [{ request: 'x' }, false, false],
    [{ status: '404' }, true, false],
    [{ status: '4xx' }, true, false],
    [{ status: '500, 404' }, true, false],
    [{ status: '>=400' }, true, false],
    [{ status: '>404' }, false, false],
    [{ status: '<=404' }, true, false],
    [{ status: '<404,5xx' }, false, false],
    [{ path: '/api/books' }, true, false],
    [{ path: '/api' }, false, false],
    [{ path: '/api/*' }, true, false],
    [{ path: '*ook*' }, true, false],
    [{ path: '/*/books' }, true, false],
    [{ path: '*oks*oks' }, false, false],
    [{ path: '/api/books*books' }, false, false],
    [{ method: 'get' }, true, false],
    [{ method: 'POST' }, false, false],
    [{ latencyMsMin: 250 }, true, false],
    [{ latencyMsMin: 251 }, false, false],
  ])('%j: of the request %s, of the line %s', (changes, ofRequest, ofLine) => {
    expect(fits(changes)).toEqual([ofRequest, ofLine]);
  });

  it.each(['', 'x', '40', '4xxx', '>= 400', '500;404', '=500'])('refuses the status "%s"', (status) => {
    expect(() => logFilter(query({ status }))).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  });

  it("takes a line's word for its request only where that request was, and in its time", () => {
    const filter = logFilter(query({ request: ID }), request);
    const traced: AppLogRow = { ...line, traceId: TRACE };
    const byTrace: AppLogRow = { ...traced, requestId: 'another' };
    expect([line, byTrace, request].map((row) => filter.fits(row))).toEqual([true, true, true]);
    expect(filter.fits({ ...line, instanceId: 'i2' })).toBe(false);
    expect(filter.fits({ ...line, atMs: 80_000 })).toBe(false);
    expect(filter.fits({ ...line, atMs: 200_000 })).toBe(false);
    expect(logFilter(query({ request: ID }), { ...request, retries: 1 }).fits({ ...line, instanceId: 'i2' })).toBe(true);
  });
});
