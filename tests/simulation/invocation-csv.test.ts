import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../sdk/support/virtual-time.ts';
import { CsvError, parseInvocationCsv } from './invocation-csv.ts';
import { type Arrival, constantService } from './traffic.ts';

const parse = (text: string) => parseInvocationCsv('test', text, constantService(70));
const arrivals = (text: string): readonly Arrival[] => parse(text).arrivals(new SeededRandom(1));

describe('recorded traffic', () => {
  test('counts of minutes are spread over them, from the first minute on', () => {
    const text = 'app,minute,count\na,5,2\nb,6,1\na,7,0\n';
    expect(parse(text).durationMs).toBe(180_000);
    const [first, second, third] = arrivals(text);
    expect([first?.app, second?.app, third?.app]).toEqual(['a', 'a', 'b']);
    expect(second!.atMs).toBeLessThan(60_000);
    expect(first!.atMs).toBeLessThanOrEqual(second!.atMs);
    expect(third!.atMs).toBeGreaterThanOrEqual(60_000);
    expect(third!.atMs).toBeLessThan(120_000);
    expect(third!.serviceMs).toBe(70);
  });

  test('Azure Functions 2019: a column for each minute, functions of one app together', () => {
    const text = 'HashOwner,HashApp,HashFunction,Trigger,1,2,3\no,a,f,http,1,0,2\no,a,g,timer,0,1,0\n';
    expect(parse(text).durationMs).toBe(180_000);
    expect(arrivals(text).map(({ app, atMs }) => [app, Math.floor(atMs / 60_000)])).toEqual([
      ['a', 0],
      ['a', 1],
      ['a', 2],
      ['a', 2],
    ]);
  });

  test('Azure Functions 2021: a request came its duration before its end', () => {
    expect(arrivals('app,func,end_timestamp,duration\na,f,100.5,0.5\nb,g,102,1\n')).toEqual([
      { app: 'a', atMs: 0, serviceMs: 500 },
      { app: 'b', atMs: 1_000, serviceMs: 1_000 },
    ]);
  });

  test('arrivals with their service times', () => {
    expect(arrivals('service_ms,app,arrival_s\n20,a,3\n30,a,2.5\n')).toEqual([
      { app: 'a', atMs: 0, serviceMs: 30 },
      { app: 'a', atMs: 500, serviceMs: 20 },
    ]);
  });

  test('the same seed spreads the same way', () => {
    const text = 'app,minute,count\na,0,50\n';
    expect(arrivals(text)).toEqual(arrivals(text));
    expect(parse(text).arrivals(new SeededRandom(2))).not.toEqual(arrivals(text));
  });

  test.each([
    ['', 'Line 1: not a header'],
    ['app,minute,count\n', 'no request'],
    ['app,minute,count\na,0,many\n', 'Line 2: count must be a number of 0 or more, found "many"'],
    ['app,minute,count\n\n,0,1\n', 'Line 3: app is empty'],
    ['app,arrival_s\na,-1\n', 'Line 2: arrival_s must be'],
    ['app,minute,count\na,0,2000001\n', 'Line 2: more than 2000000 requests'],
  ])('%j is refused with the line and what it should hold', (text, message) => {
    expect(() => parse(text)).toThrow(CsvError);
    expect(() => parse(text)).toThrow(message);
  });
});
