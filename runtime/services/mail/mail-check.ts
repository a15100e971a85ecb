// Whether a message may go out, and to whom: checks of what an app wrote, as pure functions.
import { detectMimeType } from 'nodemailer/lib/mime-funcs';
import { PlatformError } from '../../../sdk/contract/errors.ts';
import { LIMITS } from '../../../sdk/contract/limits.ts';
import {
  MAIL_EXTENSIONS_FORBIDDEN,
  MAIL_HEADERS_ALLOWED,
  type MailAttachment,
  type MailSend,
} from '../../../sdk/contract/services/mail.ts';
import { CONTROL, type Mailbox, parseMailbox } from './mail-address.ts';

export interface CheckedFile {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly contentType: string;
  readonly contentId?: string;
}

export interface CheckedMail {
  readonly from: Mailbox;
  readonly to: readonly Mailbox[];
  readonly cc: readonly Mailbox[];
  readonly bcc: readonly Mailbox[];
  readonly replyTo?: Mailbox;
  readonly subject: string;
  readonly text?: string;
  readonly html?: string;
  readonly files: readonly CheckedFile[];
  readonly headers: readonly { readonly key: string; readonly value: string }[];
}

const CONTENT_TYPE = /^[A-Za-z0-9!#$&^_.+-]{1,100}\/[A-Za-z0-9!#$&^_.+-]{1,100}$/;
const CONTENT_ID = /^[A-Za-z0-9_.@+-]{1,200}$/;
const FILE_NAME_BYTES_MAX = 255;
/** Characters without a shape, with which `exe` can be made to look like something else. */
const INVISIBLE = /\p{Cf}/gu;
const PLAIN_BYTES = 'application/octet-stream';

/** Throws MAIL_NO_RECIPIENT, MAIL_ADDRESS_INVALID, MAIL_TOO_LARGE or MAIL_INVALID. */
export function checkMail(mail: MailSend, bytesMax: number): CheckedMail {
  const recipients = mail.to.length + mail.cc.length + mail.bcc.length;
  if (recipients === 0) throw new PlatformError('MAIL_NO_RECIPIENT');
  if (recipients > LIMITS.mailRecipientsMax) throw tooLarge(`${recipients} recipients, at most ${LIMITS.mailRecipientsMax}`);
  const bytes = mailBytes(mail);
  if (bytes > bytesMax) throw tooLarge(`its texts and attachments have ${bytes} bytes, at most ${bytesMax}`);
  if (mail.subject.trim() === '') throw invalid('it has no subject');
  if (mail.text === undefined && mail.html === undefined) throw invalid('it has neither text nor html');
  if (mail.attachments.length > LIMITS.mailAttachmentsMax) {
    throw tooLarge(`${mail.attachments.length} attachments, at most ${LIMITS.mailAttachmentsMax}`);
  }
  const mailboxes = (field: 'to' | 'cc' | 'bcc'): Mailbox[] => mail[field].map((text) => parseMailbox(text, field));
  return {
    from: parseMailbox(mail.from, 'from'),
    ...{ to: mailboxes('to'), cc: mailboxes('cc'), bcc: mailboxes('bcc') },
    ...(mail.replyTo === undefined ? {} : { replyTo: parseMailbox(mail.replyTo, 'replyTo') }),
    subject: headerText('subject', mail.subject),
    ...(mail.text === undefined ? {} : { text: mail.text }),
    ...(mail.html === undefined ? {} : { html: mail.html }),
    files: mail.attachments.map(checkFile),
    headers: checkHeaders(mail.headers),
  };
}

/** Of texts and attachments, as they came. */
export function mailBytes({ text = '', html = '', attachments }: Pick<MailSend, 'text' | 'html' | 'attachments'>): number {
  return attachments.reduce((sum, { content }) => sum + content.length, Buffer.byteLength(text) + Buffer.byteLength(html));
}

/** Every address once, in order. Domains are compared without case, and local parts too, as every server does. */
export function envelopeOf({ to, cc, bcc }: Pick<CheckedMail, 'to' | 'cc' | 'bcc'>): readonly string[] {
  const found = new Map<string, string>();
  for (const { address } of [...to, ...cc, ...bcc]) if (!found.has(address.toLowerCase())) found.set(address.toLowerCase(), address);
  return [...found.values()];
}

function checkHeaders(headers: Readonly<Record<string, string>>): CheckedMail['headers'] {
  const seen = new Set<string>();
  return Object.entries(headers).map(([name, value]) => {
    const key = MAIL_HEADERS_ALLOWED.find((allowed) => allowed.toLowerCase() === name.toLowerCase());
    if (!key) throw invalid(`the header ${quote(name)} is not one of ${MAIL_HEADERS_ALLOWED.join(', ')}`);
    if (seen.has(key)) throw invalid(`the header ${key} is there twice`);
    seen.add(key);
    return { key, value: headerText(`the header ${key}`, value) };
  });
}

function headerText(what: string, text: string): string {
  if (CONTROL.test(text)) throw invalid(`${what} contains a line break or another control character`);
  const bytes = Buffer.byteLength(text);
  if (bytes > LIMITS.mailHeaderBytesMax) throw tooLarge(`${what} has ${bytes} bytes, at most ${LIMITS.mailHeaderBytesMax}`);
  return text;
}

function checkFile({ name, content, contentType, contentId }: MailAttachment): CheckedFile {
  if (name === '' || Buffer.byteLength(name) > FILE_NAME_BYTES_MAX || CONTROL.test(name) || /[/\\:]/.test(name)) {
    throw invalid(`the attachment's name ${quote(name)}: want 1 to ${FILE_NAME_BYTES_MAX} bytes without / \\ : and control characters`);
  }
  const extension = extensionOf(name);
  if (MAIL_EXTENSIONS_FORBIDDEN.includes(extension))
    throw invalid(`an attachment ${quote(name)} is not allowed: mail programs would run it`);
  if (contentType !== undefined && !CONTENT_TYPE.test(contentType))
    throw invalid(`the content type ${quote(contentType)} of ${quote(name)}`);
  const id = contentId?.replace(/^<(.*)>$/s, '$1');
  if (id !== undefined && !CONTENT_ID.test(id)) throw invalid(`the content id ${quote(id)} of ${quote(name)}`);
  return {
    name,
    bytes: content,
    contentType: plainType(contentType ?? detectMimeType(extension)),
    ...(id === undefined ? {} : { contentId: id }),
  };
}

/** As Windows sees it, which drops dots and spaces at the end. */
function extensionOf(name: string): string {
  const shown = name.replace(INVISIBLE, '').replace(/[. ]+$/, '');
  return shown.includes('.') ? shown.slice(shown.lastIndexOf('.') + 1).toLowerCase() : '';
}

/** Messages and multiparts within ours would be read as parts of it. */
const plainType = (type: string): string => (/^(message|multipart)\//i.test(type) ? PLAIN_BYTES : type.toLowerCase());

const quote = (text: string): string => JSON.stringify(text.slice(0, 100));
const invalid = (reason: string): PlatformError => new PlatformError('MAIL_INVALID', reason);
const tooLarge = (reason: string): PlatformError => new PlatformError('MAIL_TOO_LARGE', reason);
