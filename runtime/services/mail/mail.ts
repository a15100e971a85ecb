// The mail service: checks a message, composes it, and puts it into the outbox. What the outbox does is its own affair.
// Read next: mail-check.ts, outbox.ts.
import { z } from 'zod';
import { PlatformError } from '../../../sdk/contract/errors.ts';
import { LIMITS } from '../../../sdk/contract/limits.ts';
import { MAIL_SERVICE, type MailAccepted, type MailSend } from '../../../sdk/contract/services/mail.ts';
import { method } from '../../../sdk/contract/wire/service.ts';
import { type Clock, type Random } from '../../../sdk/support/clock.ts';
import { type ApiService } from '../../api/service-table.ts';
import { type QuotaGate, type UsageMeter } from '../../api/usage-meter.ts';
import { mailboxText } from './mail-address.ts';
import { type CheckedMail, checkMail, envelopeOf, mailBytes } from './mail-check.ts';
import { composeMail } from './mail-composition.ts';
import { checkSender, type SenderRules } from './mail-sender.ts';
import { type MailContent, type Outbox } from './outbox.ts';

/** App Engine's deadline of a mail call. */
const DEADLINE_MS = 30_000;
/** What composing and two fsyncs cost, about. */
const MEGACYCLES_PER_CALL = 10;
const ID_TIME_DIGITS = 9;
const ID_RANDOM_BYTES = 6;

const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array, 'want bytes');
const attachment = z.strictObject({
  ...{ name: z.string(), content: bytes, contentType: z.string().exactOptional(), contentId: z.string().exactOptional() },
});
const toAdmins = {
  ...{ from: z.string(), replyTo: z.string().exactOptional(), subject: z.string() },
  ...{ text: z.string().exactOptional(), html: z.string().exactOptional() },
  ...{ attachments: z.array(attachment), headers: z.record(z.string(), z.string()) },
};
const sendRequest = z.strictObject({ ...toAdmins, to: z.array(z.string()), cc: z.array(z.string()), bcc: z.array(z.string()) });
const sendToAdminsRequest = z.strictObject(toAdmins);

export interface MailParts {
  readonly outbox: Outbox;
  readonly senders: SenderRules;
  /** Recipients are counted and limited beside the calls. */
  readonly meter: UsageMeter;
  readonly gate: QuotaGate;
  readonly clock: Clock;
  readonly random: Random;
}

export function mailApi(parts: MailParts): ApiService {
  const office = new MailOffice(parts);
  const { administrators } = parts.senders;
  return {
    name: MAIL_SERVICE,
    resource: 'mailCalls',
    megacyclesPerCall: MEGACYCLES_PER_CALL,
    deadlineMs: DEADLINE_MS,
    serviceOf: ({ appId }) => ({
      name: MAIL_SERVICE,
      methods: {
        send: method(sendRequest, (mail) => office.accept(appId, mail, LIMITS.mailBytesMax)),
        sendToAdmins: method(sendToAdminsRequest, async (mail) => {
          const to = await administrators.administratorsOf(appId);
          if (to.length === 0) throw new PlatformError('MAIL_NO_RECIPIENT', 'the app has no administrators');
          return office.accept(appId, { ...mail, to, cc: [], bcc: [] }, LIMITS.mailAdminBytesMax);
        }),
      },
    }),
  };
}

class MailOffice {
  readonly #parts: MailParts;
  readonly #underWay = new Map<string, number>();

  constructor(parts: MailParts) {
    this.#parts = parts;
  }

  async accept(appId: string, mail: MailSend, bytesMax: number): Promise<MailAccepted> {
    const { gate, meter, outbox, senders, clock, random } = this.#parts;
    gate.check(appId, 'mailRecipients');
    const checked = checkMail(mail, bytesMax);
    await checkSender(checked.from.address, appId, senders);
    const leave = this.#enter(appId, mailBytes(mail));
    try {
      const sentAtMs = clock.nowMs();
      const id = mailId(sentAtMs, random);
      const messageId = `${id}@${appId}.${senders.domain}`;
      const { message, files } = await composeMail(checked, { messageId, date: new Date(sentAtMs) });
      const envelope = { from: checked.from.address, to: envelopeOf(checked) };
      await outbox.add({ id, appId, sentAtMs, envelope, content: { ...contentOf(checked), files }, message });
      meter.add(appId, { mailRecipients: envelope.to.length });
      return { id };
    } finally {
      leave();
    }
  }

  #enter(appId: string, bytesMore: number): () => void {
    const underWay = this.#underWay.get(appId) ?? 0;
    if (underWay + bytesMore > LIMITS.mailUnderWayBytesMax) {
      throw new PlatformError('RPC_OVERLOADED', `messages of ${underWay} bytes of the app are under way`);
    }
    this.#underWay.set(appId, underWay + bytesMore);
    return () => {
      const left = (this.#underWay.get(appId) ?? bytesMore) - bytesMore;
      if (left > 0) this.#underWay.set(appId, left);
      else this.#underWay.delete(appId);
    };
  }
}

/** Sorts by time, and cannot be guessed. */
function mailId(nowMs: number, random: Random): string {
  return `${Math.floor(nowMs).toString(36).padStart(ID_TIME_DIGITS, '0')}-${random.bytes(ID_RANDOM_BYTES).toString('hex')}`;
}

/** What `mailId` makes, and nothing that could leave a directory. */
export const MAIL_ID = /^[0-9a-z]{9}-[0-9a-f]{12}$/;

function contentOf(mail: CheckedMail): Omit<MailContent, 'files'> {
  return {
    ...{ from: mailboxText(mail.from), to: mail.to.map(mailboxText), cc: mail.cc.map(mailboxText), bcc: mail.bcc.map(mailboxText) },
    ...(mail.replyTo === undefined ? {} : { replyTo: mailboxText(mail.replyTo) }),
    subject: mail.subject,
    ...(mail.text === undefined ? {} : { text: mail.text }),
    ...(mail.html === undefined ? {} : { html: mail.html }),
  };
}
