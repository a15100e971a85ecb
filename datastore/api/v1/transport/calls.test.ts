import { describe, expect, it } from 'vitest';
import { LIMITS } from '../../../../sdk/contract/limits.ts';
import { MemoryLog } from '../../../../sdk/support/log.ts';
import { V1Calls } from './calls.ts';
import { openToAll } from './identity.ts';
import { type V1Caller, type V1Method, type V1Service } from '../port.ts';

const IDENTITY = { appOf: (projectId: string) => projectId, isProven: true };
const READS_MAX = 4;
const ROOM = READS_MAX * LIMITS.v1AnswerBytesReserved;

/** Answers when it is told to. */
class HeldService implements V1Service {
  readonly begun: string[] = [];
  readonly signals: AbortSignal[] = [];
  readonly #ends: (() => void)[] = [];

  call(_method: V1Method, request: Buffer, { signal }: V1Caller): Promise<Buffer> {
    this.begun.push(request.toString());
    this.signals.push(signal);
    return new Promise((resolve) => this.#ends.push(() => resolve(request)));
  }

  answerAll(): void {
    for (const end of this.#ends.splice(0)) end();
  }
}

function open() {
  const service = new HeldService();
  const calls = new V1Calls(service, new MemoryLog(), { authenticate: openToAll, callsMax: 100, heldBytesMax: 100, unreadBytesMax: ROOM });
  const run = (method: V1Method, name: string, signal = new AbortController().signal): Promise<Buffer> =>
    calls.run(method, Buffer.from(name), IDENTITY, { signal });
  return { service, calls, run };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('answers that clients do not read', () => {
  it('make further reads wait, in order, until there is room for what they may answer', async () => {
    const { service, calls, run } = open();
    calls.answered(ROOM);
    const waiting = ['a', 'b', 'c'].map((name) => run(name === 'b' ? 'RunQuery' : 'Lookup', name));
    await settled();
    expect(service.begun).toEqual([]);
    calls.read(LIMITS.v1AnswerBytesReserved - 1);
    await settled();
    expect(service.begun).toEqual([]);
    calls.read(1);
    await settled();
    expect(service.begun).toEqual(['a']);
    calls.read(2 * LIMITS.v1AnswerBytesReserved);
    await settled();
    expect(service.begun).toEqual(['a', 'b', 'c']);
    service.answerAll();
    expect((await Promise.all(waiting)).join('')).toBe('abc');
  });

  it('are expected of reads at work too, so that many at once are not many answers at once', async () => {
    const { service, run } = open();
    const all = Array.from({ length: 10 }, (_, index) => run('Lookup', String(index)));
    for (const begun of [READS_MAX, 2 * READS_MAX, 10]) {
      await settled();
      expect(service.begun).toHaveLength(begun);
      service.answerAll();
    }
    await Promise.all(all);
    expect(service.begun).toEqual(Array.from({ length: 10 }, (_, index) => String(index)));
  });

  it.each<V1Method>(['Commit', 'Rollback', 'BeginTransaction'])('let %s pass: what waits for a lock may wait for it', async (method) => {
    const { service, calls, run } = open();
    calls.answered(2 * ROOM);
    void run('Lookup', 'waits');
    const passes = run(method, 'passes');
    await settled();
    expect(service.begun).toEqual(['passes']);
    service.answerAll();
    expect((await passes).toString()).toBe('passes');
  });

  it('do not hold whoever gives up, and take no room for it after', async () => {
    const { service, calls, run } = open();
    calls.answered(ROOM);
    const gone = new AbortController();
    const early = run('Lookup', 'gone', gone.signal);
    await settled();
    expect(service.begun).toEqual([]);
    gone.abort();
    const late = run('Lookup', 'gone before', gone.signal);
    await settled();
    expect(service.begun).toEqual(['gone', 'gone before']);
    expect(service.signals.every(({ aborted }) => aborted)).toBe(true);
    service.answerAll();
    await Promise.all([early, late]);
    calls.read(ROOM);
    const all = Array.from({ length: READS_MAX + 1 }, () => run('Lookup', 'next'));
    await settled();
    expect(service.begun).toHaveLength(2 + READS_MAX);
    for (let turn = 0; turn < 2; turn++, await settled()) service.answerAll();
    await Promise.all(all);
  });
});
