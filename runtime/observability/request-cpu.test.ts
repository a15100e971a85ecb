import { describe, expect, it } from 'vitest';
import { type RequestLogRow } from '../../router/ports.ts';
import { VirtualTime } from '../../sdk/support/virtual-time.ts';
import { RequestCpu } from './request-cpu.ts';

type RowWithCpu = RequestLogRow & { readonly cpuMs?: number };

const row = (requestId: string, latencyMs: number, changes: Partial<RequestLogRow> = {}): RequestLogRow => ({
  ...{ requestId, startedAtMs: 0, appId: 'a', service: 's', version: 'v', instanceId: 'i', method: 'GET', host: 'h', target: '/' },
  ...{ status: 200, latencyMs, pendingMs: 0, isLoadingRequest: false, requestBytes: 0, responseBytes: 0, clientAddress: '', retries: 0 },
  ...changes,
});

interface Stage {
  readonly time: VirtualTime;
  readonly cpu: RequestCpu;
  readonly rows: RowWithCpu[];
  /** What the instance has used so far, and how long its requests were in flight. */
  micros: number | undefined;
  busyMs: number;
  pass(): Promise<Record<string, number | undefined>>;
}

function stage(): Stage {
  const time = new VirtualTime();
  const rows: RowWithCpu[] = [];
  const made: Stage = {
    ...{ time, rows, micros: 0, busyMs: 0 },
    cpu: new RequestCpu(
      { write: (each, cpuMs) => rows.push(cpuMs === undefined ? each : { ...each, cpuMs }) },
      () => (made.micros === undefined ? Promise.reject(new Error('the host is away')) : Promise.resolve(new Map([['i', made.micros]]))),
      () => made.busyMs,
      time,
      time,
    ),
    pass: async () => {
      time.advance(100);
      for (let turn = 0; turn < 5; turn++) await Promise.resolve();
      return Object.fromEntries(rows.map(({ requestId, cpuMs }) => [requestId, cpuMs]));
    },
  };
  return made;
}

describe('the CPU time of a request', () => {
  it('is what its instance used meanwhile, shared by the time in flight', async () => {
    const made = stage();
    made.time.advance(50);
    made.cpu.write(row('before anything is known', 10));
    expect(made.rows).toEqual([]);
    await made.pass();
    // Two requests at once for 40 ms, one of them for 40 ms more: 120 ms in flight, 60 ms of CPU.
    made.time.advance(40);
    made.cpu.write(row('short', 40));
    made.time.advance(40);
    made.cpu.write(row('long', 80));
    [made.micros, made.busyMs] = [60_000, 120];
    expect(await made.pass()).toEqual({ 'before anything is known': undefined, short: 20, long: 40 });
    made.time.advance(300);
    made.cpu.write(row('idle', 5, { pendingMs: 4 }));
    [made.micros, made.busyMs] = [61_000, 121];
    expect((await made.pass())['idle']).toBe(1);
  });

  it("counts an instance's start as its first request's, and goes on over several readings", async () => {
    const made = stage();
    made.time.advance(30);
    [made.micros, made.busyMs] = [25_000, 30];
    made.cpu.write(row('loading', 30, { isLoadingRequest: true }));
    expect((await made.pass())['loading']).toBe(25);
    // In flight for 300 ms: a reading in its middle, for another request, must not lose what was before it.
    made.time.advance(100);
    [made.micros, made.busyMs] = [45_000, 250];
    made.cpu.write(row('other', 20));
    await made.pass();
    made.time.advance(100);
    [made.micros, made.busyMs] = [95_000, 350];
    made.cpu.write(row('long', 300));
    // 200 of 220 ms in flight with 20 ms of CPU, then all 100 ms with 50 ms.
    expect((await made.pass())['long']).toBeCloseTo((200 / 220) * 20 + 50, 2);
  });

  it('is left out where nobody can tell, and holds up no row', async () => {
    const made = stage();
    made.micros = undefined;
    made.cpu.write(row('a', 10, { isLoadingRequest: true }));
    made.cpu.write({ ...row('static', 1), instanceId: undefined } as unknown as RequestLogRow);
    expect(made.rows.map(({ requestId }) => requestId)).toEqual(['static']);
    expect(await made.pass()).toEqual({ a: undefined, static: undefined });
    made.cpu.write(row('last', 10));
    made.cpu.close();
    expect(made.rows.map(({ requestId }) => requestId)).toEqual(['static', 'a', 'last']);
    made.cpu.write(row('afterwards', 10));
    expect(made.rows).toHaveLength(4);
  });

  it('loses no row of a reading that is under way when it closes, and begins no second one before', async () => {
    const time = new VirtualTime();
    const rows: string[] = [];
    const asked: ((found: ReadonlyMap<string, number>) => void)[] = [];
    const read = () => new Promise<ReadonlyMap<string, number>>((resolve) => asked.push(resolve));
    const cpu = new RequestCpu({ write: ({ requestId }) => rows.push(requestId) }, read, () => 0, time, time);
    cpu.write(row('first', 1));
    time.advance(100);
    cpu.write(row('second', 1));
    time.advance(1_000);
    expect(asked).toHaveLength(1);
    asked[0]?.(new Map());
    for (let turn = 0; turn < 5; turn++) await Promise.resolve();
    expect(rows).toEqual(['first']);
    time.advance(100);
    expect(asked).toHaveLength(2);
    cpu.close();
    expect(rows).toEqual(['first', 'second']);
    asked[1]?.(new Map());
    for (let turn = 0; turn < 5; turn++) await Promise.resolve();
    expect(rows).toEqual(['first', 'second']);
  });
});
