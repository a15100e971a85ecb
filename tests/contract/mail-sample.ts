// Messages of tests, and an SMTP server on a loopback port that plays the part it is given.
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import { type OutgoingMail } from '../../runtime/services/mail/outbox.ts';

const ID_TIME_DIGITS = 9;

export function sampleMail(order: number, fields: Partial<OutgoingMail> = {}): OutgoingMail {
  const id = `${order.toString(36).padStart(ID_TIME_DIGITS, '0')}-${'ab'.repeat(6)}`;
  const to = ['ada@example.com'];
  return {
    ...{ id, appId: 'shop', sentAtMs: order, envelope: { from: 'me@shop.localhost', to } },
    content: { from: 'Me <me@shop.localhost>', to, cc: [], bcc: ['hidden@example.com'], subject: `Nr. ${order}`, text: 'Hällo', files: [] },
    message: Buffer.from(`From: me@shop.localhost\r\nTo: ada@example.com\r\nSubject: Nr. ${order}\r\n\r\n.Hello\r\n`),
    ...fields,
  };
}

export interface Received {
  readonly from: string;
  readonly to: readonly string[];
  readonly message: Buffer;
}

/** What the server says; undefined takes it. */
export interface SmtpPart {
  readonly onRecipient?: (address: string) => { readonly code: number; readonly text: string } | undefined;
  readonly onMessage?: (received: Received) => { readonly code: number; readonly text: string } | undefined;
  readonly login?: { readonly user: string; readonly password: string };
}

export class SmtpSample {
  readonly received: Received[] = [];
  part: SmtpPart = {};
  #server: SMTPServer | undefined;
  #port = 0;

  get url(): string {
    const { login } = this.part;
    return `smtp://${login ? `${login.user}:${encodeURIComponent(login.password)}@` : ''}127.0.0.1:${this.#port}`;
  }

  /** On the port that it had before, if it had one. */
  async start(): Promise<void> {
    const server = new SMTPServer(this.#options());
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.#port, '127.0.0.1', resolve);
    });
    // Clients that hang up are part of the play.
    server.on('error', () => undefined);
    const address = server.server.address();
    if (typeof address === 'object' && address) this.#port = address.port;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server)
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
  }

  #options(): SMTPServerOptions {
    return {
      ...{ disabledCommands: ['STARTTLS'], authOptional: this.part.login === undefined, allowInsecureAuth: true, closeTimeout: 100 },
      onAuth: ({ username, password }, _session, callback) => {
        const { login } = this.part;
        if (login?.user === username && login?.password === password) callback(null, { user: username });
        else callback(refusal({ code: 535, text: 'wrong password' }));
      },
      onRcptTo: ({ address }, _session, callback) => {
        const said = this.part.onRecipient?.(address);
        callback(said && refusal(said));
      },
      onData: (stream, { envelope }, callback) => {
        const chunks: Buffer[] = [];
        stream.on('data', (chunk: Buffer) => chunks.push(chunk));
        stream.on('end', () => {
          const from = envelope.mailFrom === false ? '' : envelope.mailFrom.address;
          const received = { from, to: envelope.rcptTo.map(({ address }) => address), message: Buffer.concat(chunks) };
          const said = this.part.onMessage?.(received);
          if (!said) this.received.push(received);
          callback(said && refusal(said));
        });
      },
    };
  }
}

function refusal({ code, text }: { readonly code: number; readonly text: string }): Error {
  return Object.assign(new Error(text), { responseCode: code });
}
