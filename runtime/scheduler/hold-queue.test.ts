import { describe, expect, it, vi } from 'vitest';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { HoldQueue } from './hold-queue.ts';

const never = new AbortController().signal;

describe('HoldQueue', () => {
  it('gives places in order of arrival, saying how long each waited', async () => {
    const queue = new HoldQueue<string>(10, () => undefined);
    const first = queue.hold(100, never);
    const second = queue.hold(150, never);
    expect(queue.headWaitMs(170)).toBe(70);
    queue.grantHead(200, (waitedMs) => `first ${waitedMs}`);
    queue.grantHead(200, (waitedMs) => `second ${waitedMs}`);
    expect(await Promise.all([first, second])).toEqual(['first 100', 'second 50']);
  });

  it('refuses beyond its length', async () => {
    const queue = new HoldQueue<string>(1, () => undefined);
    void queue.hold(0, never);
    await expect(queue.hold(0, never)).rejects.toMatchObject({ code: 'ROUTE_QUEUE_FULL' });
    expect(queue.length).toBe(1);
  });

  it('lets one leave with its client, and forgets it', async () => {
    const onLeave = vi.fn();
    const queue = new HoldQueue<string>(2, onLeave);
    const client = new AbortController();
    const leaver = queue.hold(0, client.signal);
    const stayer = queue.hold(0, never);
    client.abort(new PlatformError('CANCELLED'));
    await expect(leaver).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(onLeave).toHaveBeenCalledOnce();
    queue.grantHead(1, () => 'place');
    await expect(stayer).resolves.toBe('place');
  });

  it('keeps a place that was given although the client leaves just then', async () => {
    const onLeave = vi.fn();
    const queue = new HoldQueue<string>(2, onLeave);
    const client = new AbortController();
    const held = queue.hold(0, client.signal);
    queue.grantHead(1, () => 'place');
    client.abort();
    await expect(held).resolves.toBe('place');
    expect(onLeave).not.toHaveBeenCalled();
  });

  it('makes no place for nobody', () => {
    const queue = new HoldQueue<string>(2, () => undefined);
    const placeFor = vi.fn(() => 'place');
    queue.grantHead(0, placeFor);
    expect(placeFor).not.toHaveBeenCalled();
  });
});
