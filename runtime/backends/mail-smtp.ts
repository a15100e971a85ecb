// The spool, and somebody who empties it: each message that waits goes to one SMTP server (a smarthost), again and again
// until it was taken or refused for good. The spool on disk is the queue, so a restart goes on where this ended. A crash
// between the server's "250" and our note of it sends a message twice, with the same Message-ID.
import { createTransport } from 'nodemailer';
import { type SMTPTransportOptions } from 'nodemailer/lib/smtp-transport';
import { type Cancel, type Clock, type Random, type Timers } from '../../sdk/support/clock.ts';
import { type Log } from '../../sdk/support/log.ts';
import { type DeliveryAttempt, type RetryRule, settleDelivery } from '../services/mail/delivery.ts';
import { type MailRecord, type Outbox, type OutgoingMail } from '../services/mail/outbox.ts';
import { type MailSpool } from './mail-spool.ts';

export interface SmtpOptions extends RetryRule {
  /** smtp[s]://user:password@host:port */
  readonly url: string;
  /** Messages at the same time. */
  readonly deliveriesMax: number;
  /** How long the server may stay silent. */
  readonly silenceMs: number;
}

interface Waiting {
  readonly appId: string;
  readonly id: string;
  readonly dueAtMs: number;
}

const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[?::1\]?)$/;
/** Of the message itself; anything else that fails is the server's or the operator's trouble, and passes. */
const OF_THE_MESSAGE = ['EENVELOPE', 'EMESSAGE'];
const ANSWER_CHARACTERS_MAX = 500;

export class SmtpOutbox implements Outbox {
  readonly #spool: MailSpool;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #random: Random;
  readonly #log: Log;
  readonly #options: SmtpOptions;
  readonly #transport: ReturnType<typeof transportTo>;
  readonly #waiting = new Map<string, Waiting>();
  readonly #underWay = new Map<string, Promise<void>>();
  readonly #abort = new AbortController();
  #wake: Cancel | undefined;

  constructor(spool: MailSpool, clock: Clock, timers: Timers, random: Random, log: Log, options: SmtpOptions) {
    this.#spool = spool;
    this.#clock = clock;
    this.#timers = timers;
    this.#random = random;
    this.#log = log;
    this.#options = options;
    this.#transport = transportTo(options);
  }

  /** Starts the spool and goes on with what waits in it. */
  async start(): Promise<void> {
    for (const record of await this.#spool.start()) this.#enqueue(record);
    this.#pump();
  }

  /** Ends the tries that are under way, which count as not made. */
  async close(): Promise<void> {
    this.#abort.abort();
    this.#wake?.();
    await Promise.all(this.#underWay.values());
  }

  async add(mail: OutgoingMail): Promise<void> {
    await this.#spool.add(mail);
    this.#waiting.set(mail.id, { appId: mail.appId, id: mail.id, dueAtMs: mail.sentAtMs });
    this.#pump();
  }

  list(appId: string, limit: number): Promise<readonly MailRecord[]> {
    return this.#spool.list(appId, limit);
  }

  find(appId: string, id: string): Promise<MailRecord | undefined> {
    return this.#spool.find(appId, id);
  }

  message(appId: string, id: string): Promise<Buffer | undefined> {
    return this.#spool.message(appId, id);
  }

  remove(appId: string, id: string): Promise<boolean> {
    this.#waiting.delete(id);
    return this.#spool.remove(appId, id);
  }

  get #isClosed(): boolean {
    return this.#abort.signal.aborted;
  }

  #enqueue({ appId, id, delivery }: Pick<MailRecord, 'appId' | 'id' | 'delivery'>): void {
    this.#waiting.set(id, { appId, id, dueAtMs: delivery.nextAttemptAtMs });
  }

  /** Starts what is due as far as there is room, then sleeps until the next is. */
  #pump(): void {
    this.#wake?.();
    this.#wake = undefined;
    if (this.#isClosed) return;
    const nowMs = this.#clock.nowMs();
    const soonest = [...this.#waiting.values()].sort((one, other) => one.dueAtMs - other.dueAtMs);
    for (const next of soonest) {
      if (this.#underWay.size >= this.#options.deliveriesMax) return;
      if (next.dueAtMs > nowMs) {
        this.#wake = this.#timers.after(Math.min(next.dueAtMs - nowMs, this.#options.retryMsMax), () => {
          this.#pump();
        });
        return;
      }
      this.#waiting.delete(next.id);
      const delivery = this.#deliver(next)
        .catch((error: unknown) => {
          // The disk is full or gone: the message stays queued there, and is tried again.
          this.#log.error('The delivery of a message could not be written down', { error, appId: next.appId, id: next.id });
          this.#waiting.set(next.id, { ...next, dueAtMs: this.#clock.nowMs() + this.#options.retryMsMax });
        })
        .finally(() => {
          this.#underWay.delete(next.id);
          this.#pump();
        });
      this.#underWay.set(next.id, delivery);
    }
  }

  async #deliver({ appId, id }: Waiting): Promise<void> {
    const record = await this.#spool.find(appId, id);
    const message = await this.#spool.message(appId, id);
    if (record?.delivery.state !== 'queued' || !message) return;
    const attempt = await this.#send(record, message);
    if (this.#isClosed && attempt.problem) return;
    const when = { nowMs: this.#clock.nowMs(), sentAtMs: record.sentAtMs, fraction: this.#random.fraction() };
    const delivery = settleDelivery(record.delivery, attempt, when, this.#options);
    const isThere = await this.#spool.settle(appId, id, delivery);
    if (delivery.state === 'failed') this.#log.warn('A message could not be delivered', { appId, id, refusals: delivery.refusals });
    if (isThere && delivery.state === 'queued') this.#enqueue({ appId, id, delivery });
  }

  async #send({ envelope, delivery }: MailRecord, message: Buffer): Promise<DeliveryAttempt> {
    try {
      const { pending } = delivery;
      const { signal } = this.#abort;
      const sent = await this.#transport.sendMail({ envelope: { from: envelope.from, to: [...pending] }, raw: message, signal });
      return { accepted: addressesOf(sent.accepted, pending), refused: refusalsOf(sent, pending) };
    } catch (error) {
      const { code, responseCode = 0 } = error as SmtpFailure;
      const refused = refusalsOf(error as SmtpFailure, delivery.pending);
      const isPermanent = OF_THE_MESSAGE.includes(code ?? '') && responseCode >= 500 && refused.length === 0;
      return { accepted: [], refused, problem: { isPermanent, answer: answerOf(error as SmtpFailure) } };
    }
  }
}

interface SmtpFailure {
  readonly code?: string | undefined;
  readonly message?: string;
  readonly response?: string | undefined;
  readonly responseCode?: number | undefined;
  readonly rejectedErrors?: readonly (Error & SmtpFailure & { readonly recipient?: string | undefined })[] | undefined;
}

function refusalsOf({ rejectedErrors = [] }: Pick<SmtpFailure, 'rejectedErrors'>, pending: readonly string[]): DeliveryAttempt['refused'] {
  return rejectedErrors.flatMap((error) => {
    const [address] = error.recipient === undefined ? [] : addressesOf([error.recipient], pending);
    return address === undefined ? [] : [{ address, isPermanent: (error.responseCode ?? 0) >= 500, answer: answerOf(error) }];
  });
}

/** The library may have changed the case of a domain. */
function addressesOf(accepted: readonly string[], pending: readonly string[]): readonly string[] {
  const taken = new Set(accepted.map((address) => address.toLowerCase()));
  return pending.filter((address) => taken.has(address.toLowerCase()));
}

function answerOf({ response, message, code }: SmtpFailure): string {
  return (response ?? message ?? code ?? 'unknown').slice(0, ANSWER_CHARACTERS_MAX);
}

/** With a password, and beyond this machine, only over TLS: a network must not be able to talk the server out of it. */
function transportTo({ url, silenceMs }: SmtpOptions) {
  const { protocol, hostname, port, username, password } = new URL(url);
  const secure = protocol === 'smtps:';
  const auth = username === '' ? {} : { auth: { user: decodeURIComponent(username), pass: decodeURIComponent(password) } };
  const options: SMTPTransportOptions = {
    ...{ host: hostname.replace(/^\[(.*)\]$/, '$1'), port: port === '' ? (secure ? 465 : 25) : Number(port), secure, ...auth },
    requireTLS: !secure && username !== '' && !LOOPBACK.test(hostname),
    ...{ connectionTimeout: silenceMs, greetingTimeout: silenceMs, socketTimeout: silenceMs, dnsTimeout: silenceMs },
    ...{ disableFileAccess: true, disableUrlAccess: true },
  };
  return createTransport(options);
}
