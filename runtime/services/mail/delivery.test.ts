import { describe, expect, it } from 'vitest';
import { type DeliveryAttempt, settleDelivery } from './delivery.ts';
import { type MailDelivery } from './outbox.ts';

const rule = { firstRetryMs: 10_000, retryMsMax: 3_600_000, deliveryMs: 345_600_000 };
const queued: MailDelivery = { state: 'queued', pending: ['a@x', 'b@x'], attempts: 0, nextAttemptAtMs: 0, refusals: [] };
const attempt = (fields: Partial<DeliveryAttempt>): DeliveryAttempt => ({ accepted: [], refused: [], ...fields });
const settle = (delivery: MailDelivery, fields: Partial<DeliveryAttempt>, nowMs = 1_000): MailDelivery =>
  settleDelivery(delivery, attempt(fields), { nowMs, sentAtMs: 0, fraction: 0 }, rule);
const no = (address: string, isPermanent: boolean) => ({ address, isPermanent, answer: isPermanent ? '550 no' : '450 later' });

describe('a delivery', () => {
  it('is done when everybody has it', () => {
    expect(settle(queued, { accepted: ['a@x', 'b@x'] })).toEqual({
      state: 'sent',
      pending: [],
      attempts: 1,
      nextAttemptAtMs: 1_000,
      refusals: [],
    });
  });

  it('goes on with whom the server put off', () => {
    const first = settle(queued, { accepted: ['a@x'], refused: [no('b@x', false)] });
    expect(first).toMatchObject({ state: 'queued', pending: ['b@x'], attempts: 1, nextAttemptAtMs: 11_000, problem: '450 later' });
    expect(settle(first, { accepted: ['b@x'] })).toMatchObject({ state: 'sent', pending: [], attempts: 2 });
    expect(settle(first, { accepted: ['b@x'] })).not.toHaveProperty('problem');
  });

  it('remembers who was refused while it goes on with the others, and has failed in the end', () => {
    const first = settle(queued, { refused: [no('a@x', true), no('b@x', false)] });
    expect(first).toMatchObject({ state: 'queued', pending: ['b@x'], refusals: ['a@x: 550 no'] });
    expect(settle(first, { accepted: ['b@x'] })).toMatchObject({ state: 'failed', pending: [], refusals: ['a@x: 550 no'] });
  });

  it('fails at once when the message itself is refused', () => {
    const problem = { isPermanent: true, answer: '554 spam' };
    expect(settle(queued, { problem })).toMatchObject({ state: 'failed', pending: ['a@x', 'b@x'], refusals: ['554 spam'] });
  });

  it('waits twice as long after each try, at most an hour, and a little by chance', () => {
    const problem = { isPermanent: false, answer: 'connect ECONNREFUSED' };
    const waits: number[] = [];
    let delivery = queued;
    for (let tries = 0; tries < 12; tries++) {
      delivery = settle(delivery, { problem }, 0);
      waits.push(delivery.nextAttemptAtMs / 1_000);
    }
    expect(waits).toEqual([10, 20, 40, 80, 160, 320, 640, 1_280, 2_560, 3_600, 3_600, 3_600]);
    const late = settleDelivery(queued, attempt({ problem }), { nowMs: 0, sentAtMs: 0, fraction: 0.999 }, rule);
    expect(late.nextAttemptAtMs).toBeLessThanOrEqual(12_500);
    expect(late.nextAttemptAtMs).toBeGreaterThan(12_400);
  });

  it('is given up after days, with what the servers said last', () => {
    const problem = { isPermanent: false, answer: 'connect ECONNREFUSED' };
    expect(settle(queued, { problem }, rule.deliveryMs)).toMatchObject({ state: 'failed', refusals: ['connect ECONNREFUSED'] });
    const put = settle(queued, { accepted: ['a@x'], refused: [no('b@x', false)] }, rule.deliveryMs);
    expect(put).toMatchObject({ state: 'failed', pending: [], refusals: ['b@x: 450 later'] });
  });
});
