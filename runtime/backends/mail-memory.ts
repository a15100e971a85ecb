import { type MailRecord, type Outbox, type OutgoingMail } from '../services/mail/outbox.ts';

/** Twin of the port: keeps everything, delivers nothing. */
export class MemoryOutbox implements Outbox {
  readonly #mails = new Map<string, { readonly record: MailRecord; readonly message: Buffer }>();

  add({ message, ...rest }: OutgoingMail): Promise<void> {
    const delivery = { state: 'spooled', pending: rest.envelope.to, attempts: 0, nextAttemptAtMs: rest.sentAtMs, refusals: [] } as const;
    this.#mails.set(nameOf(rest.appId, rest.id), { record: { ...rest, messageBytes: message.length, delivery }, message });
    return Promise.resolve();
  }

  list(appId: string, limit: number): Promise<readonly MailRecord[]> {
    const records = [...this.#mails.values()].map(({ record }) => record).filter((record) => record.appId === appId);
    return Promise.resolve(records.sort((one, other) => (one.id < other.id ? 1 : -1)).slice(0, limit));
  }

  find(appId: string, id: string): Promise<MailRecord | undefined> {
    return Promise.resolve(this.#mails.get(nameOf(appId, id))?.record);
  }

  message(appId: string, id: string): Promise<Buffer | undefined> {
    return Promise.resolve(this.#mails.get(nameOf(appId, id))?.message);
  }

  remove(appId: string, id: string): Promise<boolean> {
    return Promise.resolve(this.#mails.delete(nameOf(appId, id)));
  }
}

const nameOf = (appId: string, id: string): string => `${appId}/${id}`;
