// An app's mail as its owner sees it: the port of the console's mail pages.
import { type MailApi } from '../../../admin-console/ports.ts';
import { type MailSummaryView, type MailView } from '../../../sdk/contract/admin/data.ts';
import { PlatformError } from '../../../sdk/contract/errors.ts';
import { fileBytes } from './mail-composition.ts';
import { type MailRecord, type Outbox } from './outbox.ts';

export class MailViewer implements MailApi {
  readonly #outbox: Outbox;

  constructor(outbox: Outbox) {
    this.#outbox = outbox;
  }

  async list(appId: string, limit: number): Promise<readonly MailSummaryView[]> {
    return (await this.#outbox.list(appId, limit)).map(summaryOf);
  }

  async show(appId: string, id: string): Promise<MailView> {
    const record = await this.#find(appId, id);
    const { cc, bcc, replyTo, text, html, files } = record.content;
    const failure = [...record.delivery.refusals, ...(record.delivery.problem === undefined ? [] : [record.delivery.problem])].join('; ');
    return {
      ...summaryOf(record),
      ...{ cc, bcc, files: files.map(({ name, contentType, bytes }) => ({ name, contentType, bytes })) },
      ...(replyTo === undefined ? {} : { replyTo }),
      ...(text === undefined ? {} : { text }),
      ...(html === undefined ? {} : { html }),
      ...(failure === '' ? {} : { failure }),
    };
  }

  async raw(appId: string, id: string): Promise<Uint8Array> {
    const message = await this.#outbox.message(appId, id);
    if (!message) throw notFound(id);
    return message;
  }

  async attachment(appId: string, id: string, index: number): Promise<{ readonly name: string; readonly bytes: Uint8Array }> {
    const file = (await this.#find(appId, id)).content.files[index];
    const message = await this.#outbox.message(appId, id);
    if (!file || !message) throw notFound(`${id}, attachment ${index}`);
    return { name: file.name, bytes: fileBytes(message, file) };
  }

  async delete(appId: string, id: string): Promise<void> {
    if (!(await this.#outbox.remove(appId, id))) throw notFound(id);
  }

  async #find(appId: string, id: string): Promise<MailRecord> {
    const record = await this.#outbox.find(appId, id);
    if (!record) throw notFound(id);
    return record;
  }
}

function summaryOf({ id, sentAtMs, content, messageBytes, delivery }: MailRecord): MailSummaryView {
  const { from, to, subject, files } = content;
  return { id, sentAtMs, from, to, subject, bytes: messageBytes, attachments: files.length, state: delivery.state };
}

const notFound = (what: string): PlatformError => new PlatformError('MAIL_NOT_FOUND', what);
