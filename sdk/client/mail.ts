import { MAIL_SERVICE, type MailAccepted, type MailAttachment, type MailSend, type MailSendToAdmins } from '../contract/services/mail.ts';
import { type Rpc } from '../contract/wire/client.ts';

export interface MailFile {
  /** Name and extension, without directories. */
  readonly name: string;
  /** Text is sent as UTF-8. */
  readonly content: Uint8Array | string;
  /** Such as `image/png`; absent: by the extension. */
  readonly contentType?: string;
  /** HTML refers to it as `<img src="cid:ID">`. */
  readonly contentId?: string;
}

export interface AdminMailMessage {
  /** `ada@example.com`, `Ada <ada@example.com>`, or `"Lovelace, Ada" <ada@example.com>`. */
  readonly from: string;
  readonly replyTo?: string;
  readonly subject: string;
  /** At least one of `text` and `html`. */
  readonly text?: string;
  readonly html?: string;
  readonly attachments?: readonly MailFile[];
  /** Of those that App Engine lets apps write, such as In-Reply-To and List-Unsubscribe. */
  readonly headers?: Readonly<Record<string, string>>;
}

export interface MailMessage extends AdminMailMessage {
  /** One address, or several. */
  readonly to?: string | readonly string[];
  readonly cc?: string | readonly string[];
  readonly bcc?: string | readonly string[];
}

/** As long as App Engine gives a mail call, and a little more, so that its own error arrives. */
const DEADLINE_MS = 40_000;

/** Sends mail as the app. */
export class Mail {
  readonly #rpc: Rpc;

  constructor(rpc: Rpc) {
    this.#rpc = rpc;
  }

  /**
   * Resolves when the message is on the platform's disk; it is delivered later, and again until it was. Throws
   * MAIL_NO_RECIPIENT, MAIL_ADDRESS_INVALID, MAIL_SENDER_REFUSED, MAIL_TOO_LARGE, MAIL_INVALID, MAIL_SPOOL_FULL.
   */
  async send(message: MailMessage): Promise<MailAccepted> {
    const { to, cc, bcc } = message;
    const request: MailSend = { ...contentOf(message), to: listOf(to), cc: listOf(cc), bcc: listOf(bcc) };
    return (await this.#rpc.call(MAIL_SERVICE, 'send', request, { deadlineMs: DEADLINE_MS })) as MailAccepted;
  }

  /** To everybody who administers the app, at most 16 KiB. */
  async sendToAdmins(message: AdminMailMessage): Promise<MailAccepted> {
    return (await this.#rpc.call(MAIL_SERVICE, 'sendToAdmins', contentOf(message), { deadlineMs: DEADLINE_MS })) as MailAccepted;
  }
}

function listOf(addresses: string | readonly string[] | undefined): readonly string[] {
  if (addresses === undefined) return [];
  return typeof addresses === 'string' ? [addresses] : addresses;
}

function contentOf({ from, replyTo, subject, text, html, attachments = [], headers = {} }: AdminMailMessage): MailSendToAdmins {
  return {
    ...{ from, subject, headers, attachments: attachments.map(attachmentOf) },
    ...(replyTo === undefined ? {} : { replyTo }),
    ...(text === undefined ? {} : { text }),
    ...(html === undefined ? {} : { html }),
  };
}

function attachmentOf({ name, content, contentType, contentId }: MailFile): MailAttachment {
  return {
    ...{ name, content: typeof content === 'string' ? Buffer.from(content) : content },
    ...(contentType === undefined ? {} : { contentType }),
    ...(contentId === undefined ? {} : { contentId }),
  };
}
