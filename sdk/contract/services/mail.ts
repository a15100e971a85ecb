// The payloads of the service `mail` on an instance's API socket (App Engine: mail).
//
//   send          MailSend          → MailAccepted
//   sendToAdmins  MailSendToAdmins  → MailAccepted
//
// An address is `ada@example.com`, `Ada <ada@example.com>` or `"Lovelace, Ada" <ada@example.com>`: one each, never a list.

export const MAIL_SERVICE = 'mail';

/** App Engine's list; everything else in a header is the platform's. */
export const MAIL_HEADERS_ALLOWED = [
  'Auto-Submitted',
  'In-Reply-To',
  'List-Id',
  'List-Unsubscribe',
  'On-Behalf-Of',
  'References',
  'Resent-Date',
  'Resent-From',
  'Resent-To',
] as const;

/** App Engine's list: what mail programs run when it is opened. */
export const MAIL_EXTENSIONS_FORBIDDEN: readonly string[] =
  'ade adp bat chm cmd com cpl exe hta ins isp jse lib mde msc msp mst pif scr sct shb sys vb vbe vbs vxd wsc wsf wsh'.split(' ');

export interface MailAttachment {
  readonly name: string;
  readonly content: Uint8Array;
  /** Such as `image/png`; absent: by the name's extension. */
  readonly contentType?: string;
  /** HTML refers to it as `cid:…`. */
  readonly contentId?: string;
}

export interface MailSendToAdmins {
  readonly from: string;
  readonly replyTo?: string;
  readonly subject: string;
  readonly text?: string;
  readonly html?: string;
  readonly attachments: readonly MailAttachment[];
  /** By name, each at most once. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface MailSend extends MailSendToAdmins {
  readonly to: readonly string[];
  readonly cc: readonly string[];
  readonly bcc: readonly string[];
}

/** The message is on disk; whether it is delivered shows later, in the console. */
export interface MailAccepted {
  readonly id: string;
}
