import { expect, it } from 'vitest';
import { type Rpc } from '../../sdk/contract/wire/client.ts';
import { systemRandom } from '../../sdk/support/clock.ts';
import { MemoryLog } from '../../sdk/support/log.ts';
import { VirtualTime } from '../../sdk/support/virtual-time.ts';
import { BatchingUsageMeter } from './batching-usage-meter.ts';

it('does not wait, when it is closed, for a report to a control role that is gone', async () => {
  const time = new VirtualTime();
  const deadlines: (number | undefined)[] = [];
  const rpc: Rpc = {
    call: (_service, _method, _payload, { deadlineMs, signal } = {}) => {
      deadlines.push(deadlineMs);
      return new Promise((_resolve, reject) => {
        const end = (): void => {
          reject(new Error('given up'));
        };
        signal?.addEventListener('abort', end);
        // The last report has no signal; its short deadline ends it.
        if (!signal) end();
      });
    },
  };
  const meter = new BatchingUsageMeter('host', rpc, time, time, systemRandom, new MemoryLog());
  meter.start();
  meter.add('shop', { requests: 1 });
  const reporting = meter.flush();
  await meter.close();
  await reporting;
  expect(deadlines).toHaveLength(2);
  expect(deadlines[1]).toBeLessThan(deadlines[0] ?? 0);
});
