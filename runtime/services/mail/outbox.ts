// Where messages go once they are checked and composed. Adapters: ../../backends/mail-spool.ts (kept on disk alone) and
// mail-smtp.ts (and delivered); twin: mail-memory.ts.

/** Where the bytes of an attachment stand within the composed message: base64, with line breaks. */
export interface MailFile {
  readonly name: string;
  readonly contentType: string;
  readonly bytes: number;
  readonly at: number;
  readonly length: number;
}

/** What a message says, as its sender wrote it; addresses as `Ada <ada@example.com>`. */
export interface MailContent {
  readonly from: string;
  readonly to: readonly string[];
  readonly cc: readonly string[];
  readonly bcc: readonly string[];
  readonly replyTo?: string;
  readonly subject: string;
  readonly text?: string;
  readonly html?: string;
  readonly files: readonly MailFile[];
}

export interface OutgoingMail {
  readonly id: string;
  readonly appId: string;
  readonly sentAtMs: number;
  /** Bare addresses, without doubles; Bcc is here and in no header. */
  readonly envelope: { readonly from: string; readonly to: readonly string[] };
  readonly content: MailContent;
  /** RFC 5322, lines end in CR LF. */
  readonly message: Buffer;
}

/**
 * States: spooled (nobody delivers it) · queued → sent | failed.
 * `pending` shrinks as servers take the message for some recipients or refuse it for good.
 */
export interface MailDelivery {
  readonly state: 'spooled' | 'queued' | 'sent' | 'failed';
  readonly pending: readonly string[];
  readonly attempts: number;
  readonly nextAttemptAtMs: number;
  /** What servers said, for people: refusals, and for a queued message why the last try failed. */
  readonly refusals: readonly string[];
  readonly problem?: string;
}

export interface MailRecord extends Omit<OutgoingMail, 'message'> {
  readonly messageBytes: number;
  readonly delivery: MailDelivery;
}

export interface Outbox {
  /** The message survives power loss once it resolves. The oldest that nobody waits for makes room; else MAIL_SPOOL_FULL. */
  add(mail: OutgoingMail): Promise<void>;
  /** Newest first. */
  list(appId: string, limit: number): Promise<readonly MailRecord[]>;
  find(appId: string, id: string): Promise<MailRecord | undefined>;
  /** The composed message; undefined when there is none. */
  message(appId: string, id: string): Promise<Buffer | undefined>;
  /** Whether it was there. A message that waits is not delivered any more. */
  remove(appId: string, id: string): Promise<boolean>;
}
