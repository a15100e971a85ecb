// A checked message as RFC 5322 text. The library composes; it is given nothing to read, parse or fetch.
import MailComposer from 'nodemailer/lib/mail-composer';
import { assert } from '../../../sdk/support/assert.ts';
import { type CheckedFile, type CheckedMail } from './mail-check.ts';
import { type MailFile } from './outbox.ts';

export interface Composition {
  readonly message: Buffer;
  readonly files: readonly MailFile[];
}

const BASE64_LINE = 76;
const BASE64_LINE_BYTES = 57;
const LINE_BREAK = '\r\n';

/** Bcc stands in no header: those recipients are in the envelope alone. */
export async function composeMail(mail: CheckedMail, options: { readonly messageId: string; readonly date: Date }): Promise<Composition> {
  const composer = new MailComposer({
    ...{ from: named(mail.from), to: mail.to.map(named), cc: mail.cc.map(named), subject: mail.subject },
    ...{ replyTo: mail.replyTo ? named(mail.replyTo) : undefined, text: mail.text, html: mail.html },
    ...{ messageId: `<${options.messageId}>`, date: options.date, headers: [...mail.headers] },
    attachments: mail.files.map((file) => ({
      ...{ filename: file.name, content: bufferOf(file), contentType: file.contentType, cid: file.contentId },
      // So that their place can be found again.
      contentTransferEncoding: 'base64',
    })),
    ...{ newline: 'win', disableFileAccess: true, disableUrlAccess: true },
  });
  const message = await composer.compile().build();
  return { message, files: mail.files.map((file) => locate(file, message)) };
}

/** The bytes that the file has in the composed message. */
export function fileBytes(message: Buffer, { at, length }: MailFile): Buffer {
  return Buffer.from(message.toString('latin1', at, at + length), 'base64');
}

/** Two attachments with the same content may be found at the same place: their bytes are the same. */
function locate(file: CheckedFile, message: Buffer): MailFile {
  const { name, contentType, bytes } = file;
  const encoded = wrapped(bufferOf(file));
  const at = message.indexOf(`${LINE_BREAK}${LINE_BREAK}${encoded}`, 0, 'latin1') + 2 * LINE_BREAK.length;
  assert(at >= 2 * LINE_BREAK.length, 'an attachment stands in its message as base64');
  return { name, contentType, bytes: bytes.length, at, length: encoded.length };
}

function wrapped(bytes: Buffer): string {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += BASE64_LINE_BYTES) lines.push(bytes.toString('base64', at, at + BASE64_LINE_BYTES));
  assert(
    lines.every((line) => line.length <= BASE64_LINE),
    'a line of base64 has 76 characters',
  );
  return lines.join(LINE_BREAK);
}

const bufferOf = ({ bytes }: CheckedFile): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** As an object: the library must not parse what we have parsed. */
const named = ({ name, address }: { readonly name: string; readonly address: string }) => ({ name, address });
