import { MailSpool } from '../backends/mail-spool.ts';
import { SmtpOutbox } from '../backends/mail-smtp.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type CloseStack } from '../../sdk/support/close-stack.ts';
import { type Outbox } from '../services/mail/outbox.ts';
import { type PlatformSettings, type PlatformWorld } from './settings.ts';

const FIRST_RETRY_MS = 10_000;

/** Mail waits for the SMTP server that the settings name; without one it is kept on disk alone. */
export async function startOutbox({ paths, mail }: PlatformSettings, world: PlatformWorld, closing: CloseStack): Promise<Outbox> {
  const { clock, timers, random, log } = world;
  const spool = new MailSpool(paths.mail, log, {
    ...{ messagesMax: LIMITS.mailSpoolMessagesMax, bytesMax: LIMITS.mailSpoolBytesMax, isDelivered: mail.smtpUrl !== undefined },
  });
  if (mail.smtpUrl === undefined) {
    await spool.start();
    return spool;
  }
  const outbox = new SmtpOutbox(spool, clock, timers, random, log, {
    ...{ url: mail.smtpUrl, deliveriesMax: LIMITS.mailDeliveriesMax, silenceMs: LIMITS.mailSmtpMs },
    ...{ firstRetryMs: FIRST_RETRY_MS, retryMsMax: LIMITS.mailRetryMsMax, deliveryMs: LIMITS.mailDeliveryMs },
  });
  await outbox.start();
  closing.defer(() => outbox.close());
  return outbox;
}
