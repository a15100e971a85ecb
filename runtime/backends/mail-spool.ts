// Mail kept on disk, one process at a time: the outbox of a platform without an SMTP server, and the queue of one with.
//
//   mail/APP/ID.eml    the message as it goes out
//   mail/APP/ID.json   MailRecord and its format; the message is there when this file is
//
// ID sorts by time. Both files are written aside, fsynced and renamed, the JSON last; a message is removed JSON first. So a
// crash leaves a whole message or an .eml alone, which the next start removes.
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { type Log } from '../../sdk/support/log.ts';
import { type MailDelivery, type MailRecord, type Outbox, type OutgoingMail } from '../services/mail/outbox.ts';
import { MAIL_ID } from '../services/mail/mail.ts';
import { syncDirectory, UNFINISHED, writeDurably, writeWhole } from '../../sdk/support/durable-files.ts';

const texts = z.array(z.string());
const whole = z.int().min(0);
const spoolFile = z.object({
  format: z.literal(1),
  ...{ id: z.string().regex(MAIL_ID), appId: z.string(), sentAtMs: z.number(), messageBytes: whole },
  envelope: z.object({ from: z.string(), to: texts }),
  content: z.object({
    ...{ from: z.string(), to: texts, cc: texts, bcc: texts, replyTo: z.string().exactOptional(), subject: z.string() },
    ...{ text: z.string().exactOptional(), html: z.string().exactOptional() },
    files: z.array(z.object({ name: z.string(), contentType: z.string(), bytes: whole, at: whole, length: whole })),
  }),
  delivery: z.object({
    state: z.enum(['spooled', 'queued', 'sent', 'failed']),
    ...{ pending: texts, attempts: whole, nextAttemptAtMs: z.number(), refusals: texts, problem: z.string().exactOptional() },
  }),
});

/** What is known of a message without reading its file. */
interface Entry {
  readonly id: string;
  readonly bytes: number;
  isQueued: boolean;
}

interface AppSpool {
  /** Oldest first. */
  readonly entries: Map<string, Entry>;
  bytes: number;
}

export interface MailSpoolOptions {
  readonly messagesMax: number;
  readonly bytesMax: number;
  /** Whether somebody delivers what comes in: then it waits, and is not removed before. */
  readonly isDelivered: boolean;
}

export class MailSpool implements Outbox {
  readonly #directory: string;
  readonly #log: Log;
  readonly #options: MailSpoolOptions;
  readonly #apps = new Map<string, AppSpool>();
  /** Changes of one app, one after the other. */
  readonly #turns = new Map<string, Promise<unknown>>();

  constructor(directory: string, log: Log, options: MailSpoolOptions) {
    this.#directory = directory;
    this.#log = log;
    this.#options = options;
  }

  /** Reads what is there and removes what a crash left; resolves with the messages that wait, oldest first. */
  async start(): Promise<readonly MailRecord[]> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const queued: MailRecord[] = [];
    for (const entry of await readdir(this.#directory, { withFileTypes: true })) {
      if (entry.isDirectory()) queued.push(...(await this.#load(entry.name)));
    }
    return queued.sort((one, other) => (one.id < other.id ? -1 : 1));
  }

  add(mail: OutgoingMail): Promise<void> {
    return this.#inTurn(mail.appId, async () => {
      const { message, ...rest } = mail;
      const state = this.#options.isDelivered ? 'queued' : 'spooled';
      const delivery: MailDelivery = { state, pending: mail.envelope.to, attempts: 0, nextAttemptAtMs: mail.sentAtMs, refusals: [] };
      const text = textOf({ ...rest, messageBytes: message.length, delivery });
      const entry = { id: mail.id, bytes: message.length + Buffer.byteLength(text), isQueued: state === 'queued' };
      const app = await this.#open(mail.appId);
      await this.#makeRoom(mail.appId, app, entry.bytes);
      await writeWhole(this.#path(mail.appId, mail.id, 'eml'), message);
      await writeWhole(this.#path(mail.appId, mail.id, 'json'), text);
      await syncDirectory(join(this.#directory, mail.appId));
      app.entries.set(entry.id, entry);
      app.bytes += entry.bytes;
    });
  }

  async list(appId: string, limit: number): Promise<readonly MailRecord[]> {
    // Messages that are composed at the same time may come in another order than their ids say.
    const ids = [...(this.#apps.get(appId)?.entries.keys() ?? [])].sort().reverse().slice(0, limit);
    const found = await Promise.all(ids.map((id) => this.find(appId, id)));
    return found.filter((record) => record !== undefined);
  }

  async find(appId: string, id: string): Promise<MailRecord | undefined> {
    if (!this.#apps.get(appId)?.entries.has(id)) return undefined;
    return this.#read(appId, id);
  }

  async message(appId: string, id: string): Promise<Buffer | undefined> {
    if (!this.#apps.get(appId)?.entries.has(id)) return undefined;
    return unlessMissing(readFile(this.#path(appId, id, 'eml')));
  }

  remove(appId: string, id: string): Promise<boolean> {
    return this.#inTurn(appId, async () => {
      const app = this.#apps.get(appId);
      if (!app?.entries.has(id)) return false;
      await this.#remove(appId, app, id);
      return true;
    });
  }

  /** Writes down how the delivery goes. Whether the message is still there. */
  settle(appId: string, id: string, delivery: MailDelivery): Promise<boolean> {
    return this.#inTurn(appId, async () => {
      const entry = this.#apps.get(appId)?.entries.get(id);
      const record = entry && (await this.#read(appId, id));
      if (!record) return false;
      await writeDurably(this.#path(appId, id, 'json'), textOf({ ...record, delivery }));
      entry.isQueued = delivery.state === 'queued';
      return true;
    });
  }

  #inTurn<T>(appId: string, change: () => Promise<T>): Promise<T> {
    const turn = (this.#turns.get(appId) ?? Promise.resolve()).then(change, change);
    this.#turns.set(appId, turn);
    return turn;
  }

  async #open(appId: string): Promise<AppSpool> {
    const open = this.#apps.get(appId);
    if (open) return open;
    await mkdir(join(this.#directory, appId), { mode: 0o700, recursive: true });
    await syncDirectory(this.#directory);
    const app: AppSpool = { entries: new Map(), bytes: 0 };
    this.#apps.set(appId, app);
    return app;
  }

  /** The oldest that nobody waits for goes first. Throws MAIL_SPOOL_FULL when that does not suffice. */
  async #makeRoom(appId: string, app: AppSpool, bytes: number): Promise<void> {
    const { messagesMax, bytesMax } = this.#options;
    const going: string[] = [];
    let [messagesLeft, bytesLeft] = [app.entries.size + 1, app.bytes + bytes];
    for (const entry of app.entries.values()) {
      if (messagesLeft <= messagesMax && bytesLeft <= bytesMax) break;
      if (entry.isQueued) continue;
      going.push(entry.id);
      messagesLeft--;
      bytesLeft -= entry.bytes;
    }
    if (messagesLeft > messagesMax || bytesLeft > bytesMax) {
      throw new PlatformError('MAIL_SPOOL_FULL', `${app.entries.size} messages of ${app.bytes} bytes`);
    }
    for (const id of going) await this.#remove(appId, app, id);
  }

  async #remove(appId: string, app: AppSpool, id: string): Promise<void> {
    await rm(this.#path(appId, id, 'json'), { force: true });
    await rm(this.#path(appId, id, 'eml'), { force: true });
    await syncDirectory(dirname(this.#path(appId, id, 'json')));
    app.bytes -= app.entries.get(id)?.bytes ?? 0;
    app.entries.delete(id);
  }

  async #load(appId: string): Promise<MailRecord[]> {
    const directory = join(this.#directory, appId);
    const names = await readdir(directory);
    const ids = names.filter((name) => name.endsWith('.json')).map((name) => name.slice(0, -'.json'.length));
    const known = new Set(ids);
    for (const name of names) {
      const isLeftover = name.endsWith(UNFINISHED) || (name.endsWith('.eml') && !known.has(name.slice(0, -'.eml'.length)));
      if (isLeftover) await rm(join(directory, name), { force: true });
    }
    const app: AppSpool = { entries: new Map(), bytes: 0 };
    const queued: MailRecord[] = [];
    for (const id of ids.sort()) {
      const text = await readFile(join(directory, `${id}.json`), 'utf8');
      const record = this.#parse(text, appId, id);
      if (!record) continue;
      const entry = { id, bytes: record.messageBytes + Buffer.byteLength(text), isQueued: record.delivery.state === 'queued' };
      app.entries.set(id, entry);
      app.bytes += entry.bytes;
      if (entry.isQueued) queued.push(record);
    }
    this.#apps.set(appId, app);
    return queued;
  }

  async #read(appId: string, id: string): Promise<MailRecord | undefined> {
    const text = await unlessMissing(readFile(this.#path(appId, id, 'json'), 'utf8'));
    return text === undefined ? undefined : this.#parse(text, appId, id);
  }

  /** A file that cannot be read stays for whoever can mend it, and is no message until then. */
  #parse(text: string, appId: string, id: string): MailRecord | undefined {
    try {
      const record = spoolFile.parse(JSON.parse(text));
      if (record.appId === appId && record.id === id) return record;
      throw new Error(`it is of app ${record.appId}, message ${record.id}`);
    } catch (error) {
      this.#log.error('A message of the mail directory cannot be read', { error, appId, id });
      return undefined;
    }
  }

  #path(appId: string, id: string, ending: 'eml' | 'json'): string {
    return join(this.#directory, appId, `${id}.${ending}`);
  }
}

const textOf = (record: MailRecord): string => `${JSON.stringify({ ...record, format: 1 })}\n`;

async function unlessMissing<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
