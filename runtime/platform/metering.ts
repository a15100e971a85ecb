import { type Rpc } from '../../sdk/contract/wire/client.ts';
import { type CloseStack } from '../../sdk/support/close-stack.ts';
import { BatchingUsageMeter } from '../billing/batching-usage-meter.ts';
import { FollowedQuotaGate } from '../billing/followed-quota-gate.ts';
import { type PlatformWorld } from './settings.ts';

/** One role's side of metering, `control` being where usage goes to and quotas come from. */
export function startMetering(
  role: string,
  control: Rpc,
  { clock, timers, random, log }: PlatformWorld,
  closing: CloseStack,
): { readonly meter: BatchingUsageMeter; readonly quotas: FollowedQuotaGate } {
  const meter = new BatchingUsageMeter(role, control, clock, timers, random, log);
  meter.start();
  closing.defer(() => meter.close());
  const quotas = new FollowedQuotaGate(control, clock, timers, log);
  quotas.start();
  closing.defer(() => {
    quotas.close();
  });
  return { meter, quotas };
}
