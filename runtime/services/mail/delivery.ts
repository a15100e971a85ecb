// What becomes of a message after a try to deliver it: a pure function of what the servers said.
import { type MailDelivery } from './outbox.ts';

/** Of one try. Recipients that are not named were not dealt with. */
export interface DeliveryAttempt {
  readonly accepted: readonly string[];
  readonly refused: readonly { readonly address: string; readonly isPermanent: boolean; readonly answer: string }[];
  /** Why the message as a whole did not get through. */
  readonly problem?: { readonly isPermanent: boolean; readonly answer: string };
}

export interface RetryRule {
  readonly firstRetryMs: number;
  readonly retryMsMax: number;
  /** Counted from when the app sent the message; the next try after that is the last. */
  readonly deliveryMs: number;
}

/** `fraction` spreads the next try over a quarter of its wait, so that a server that comes back is not overrun. */
export function settleDelivery(
  { pending, attempts, refusals }: MailDelivery,
  { accepted, refused, problem }: DeliveryAttempt,
  when: { readonly nowMs: number; readonly sentAtMs: number; readonly fraction: number },
  rule: RetryRule,
): MailDelivery {
  const isOver = when.nowMs - when.sentAtMs >= rule.deliveryMs;
  const done = new Set(accepted);
  const said = [...refusals];
  for (const { address, isPermanent, answer } of refused) {
    if (!isPermanent && !isOver) continue;
    done.add(address);
    said.push(`${address}: ${answer}`);
  }
  const left = pending.filter((address) => !done.has(address));
  const tried = { attempts: attempts + 1, nextAttemptAtMs: when.nowMs };
  if (left.length === 0) return { ...tried, pending: [], state: said.length > 0 ? 'failed' : 'sent', refusals: said };
  const why = problem?.answer ?? refused.find(({ address }) => left.includes(address))?.answer ?? 'the server did not say why';
  if (isOver || problem?.isPermanent) return { ...tried, pending: left, state: 'failed', refusals: [...said, why] };
  const waitMs = Math.min(rule.firstRetryMs * 2 ** Math.min(attempts, 30), rule.retryMsMax);
  const nextAttemptAtMs = Math.round(when.nowMs + waitMs * (1 + when.fraction / 4));
  return { attempts: attempts + 1, nextAttemptAtMs, pending: left, state: 'queued', refusals: said, problem: why };
}
