// The sample apps as a user deploys them, driven over HTTP and WebSockets through the router.
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { type AdminInstanceView } from '../../sdk/contract/admin/admin.ts';
import { PlatformProcess, root, waitFor } from './platform-process.ts';

let platform: PlatformProcess;

beforeAll(async () => {
  platform = await PlatformProcess.start();
});

afterAll(() => platform.remove());

const deploySample = (name: string): Promise<unknown> => platform.appengineJson('deploy', join(root, 'sample-apps', name), '--app', name);

interface ChatMessage {
  readonly id: string;
  readonly author: string;
  readonly text: string;
  readonly at: string;
}

interface ChatFrame {
  readonly type: string;
  readonly message?: ChatMessage;
  readonly messages?: readonly ChatMessage[];
  readonly text?: string;
}

/** Somebody in the room, with all that the server said to them. */
class Guest {
  readonly frames: ChatFrame[] = [];
  closeCode: number | undefined;
  readonly #socket: WebSocket;

  constructor(headers: Record<string, string> = {}) {
    const address = `ws://127.0.0.1:${platform.routerPort}/chat`;
    this.#socket = new WebSocket(address, { headers: { host: `chat.localhost:${platform.routerPort}`, ...headers } });
    this.#socket.on('message', (data: Buffer) => this.frames.push(JSON.parse(data.toString()) as ChatFrame));
    this.#socket.on('close', (code) => (this.closeCode = code));
    this.#socket.on('error', () => undefined);
  }

  /** In the room, and told what was said before. */
  async arrived(): Promise<readonly ChatMessage[]> {
    const frame = await waitFor('the history', () => this.frames.find(({ type }) => type === 'history'));
    return frame.messages ?? [];
  }

  send(value: unknown): void {
    this.#socket.send(typeof value === 'string' ? value : JSON.stringify(value));
  }

  hears(text: string): Promise<ChatMessage> {
    return waitFor(`somebody to hear "${text}"`, () => this.frames.find(({ message }) => message?.text === text)?.message);
  }

  problem(): Promise<string> {
    return waitFor('a problem to be told', () => this.frames.find(({ type }) => type === 'problem')?.text);
  }

  leave(): void {
    this.#socket.terminate();
  }
}

describe('chat', () => {
  const instances = async (): Promise<readonly AdminInstanceView[]> =>
    (await platform.appengineJson<{ instances: AdminInstanceView[] }>('instances', 'list', '--app', 'chat')).instances;

  beforeAll(() => deploySample('chat'));

  test('has a page with its own style and script, and nothing else', async () => {
    const page = await platform.http('chat', '/');
    expect(page.status).toBe(200);
    expect(page.text).toContain('<h1>Chat</h1>');
    expect(page.headers['content-security-policy']).toContain("default-src 'none'");
    for (const name of ['chat.css', 'chat.js']) expect((await platform.http('chat', `/static/${name}`)).status).toBe(200);
    expect((await platform.http('chat', '/other')).status).toBe(404);
    expect((await platform.http('chat', '/server.js')).status).toBe(404);
  });

  test('carries messages between two people through the router', async () => {
    const [ada, bob] = [new Guest(), new Guest()];
    await Promise.all([ada.arrived(), bob.arrived()]);
    ada.send({ type: 'say', author: 'Ada', text: 'Hello, Bob!' });
    const heard = await bob.hears('Hello, Bob!');
    expect(heard).toMatchObject({ author: 'Ada', id: expect.stringMatching(/^\d+$/), at: expect.stringMatching(/Z$/) });
    bob.send({ type: 'say', author: ' ', text: '  <b>Hello</b>\u202e, Ada!  ' });
    // As it was written, but for what turns text around; the page shows it as text.
    expect(await ada.hears('<b>Hello</b> , Ada!')).toMatchObject({ author: 'Somebody' });
    expect(ada.frames.filter(({ message }) => message !== undefined)).toHaveLength(2);
    for (const guest of [ada, bob]) guest.leave();
  });

  test.each([
    ['what is no message', 'no json', /not a message/],
    ['a message of another kind', { type: 'shout', author: 'a', text: 'b' }, /not a message/],
    ['null', null, /not a message/],
    ['a text that is none', { type: 'say', author: 'a', text: 5 }, /author and a text/],
    ['an empty text', { type: 'say', author: 'a', text: ' \u0000 ' }, /some text/],
    ['a text that is too long', { type: 'say', author: 'a', text: 'x'.repeat(501) }, /at most 500/],
  ])('refuses %s, and goes on', async (_, value, problem) => {
    const guest = new Guest();
    await guest.arrived();
    guest.send(value === null ? 'null' : value);
    expect(await guest.problem()).toMatch(problem);
    guest.send({ type: 'say', author: 'a', text: `still here ${String(problem)}` });
    await guest.hears(`still here ${String(problem)}`);
    guest.leave();
  });

  test('closes on who sends too much at once, and slows who sends too often', async () => {
    const [large, quick] = [new Guest(), new Guest()];
    await Promise.all([large.arrived(), quick.arrived()]);
    large.send('x'.repeat(5_000));
    expect(await waitFor('the socket to be closed', () => large.closeCode)).toBe(1009);
    for (let count = 0; count < 9; count++) quick.send({ type: 'say', author: 'quick', text: `number ${count}` });
    expect(await quick.problem()).toContain('Not so fast');
    await quick.hears('number 7');
    quick.leave();
  });

  test("lets no other site's page in", async () => {
    const foreign = new Guest({ origin: 'https://evil.example' });
    await waitFor('the refusal', () => foreign.closeCode);
    expect(foreign.frames).toEqual([]);
    const own = new Guest({ origin: `http://chat.localhost:${platform.routerPort}` });
    await own.arrived();
    own.leave();
  });

  test('comes back with all that was said when its instance is killed', async () => {
    const before = new Guest();
    await before.arrived();
    before.send({ type: 'say', author: 'Ada', text: 'remember this' });
    await before.hears('remember this');
    const [instance] = await instances();
    process.kill(instance!.pid!, 'SIGKILL');
    await waitFor('the socket to break', () => before.closeCode);

    const after = await waitFor('a connection to another instance', async () => {
      const guest = new Guest();
      const outcome = await waitFor('an answer', () => guest.closeCode ?? guest.frames.length > 0);
      return outcome === true ? guest : undefined;
    });
    expect((await after.arrived()).at(-1)).toMatchObject({ author: 'Ada', text: 'remember this' });
    expect((await instances()).map(({ id }) => id)).not.toContain(instance!.id);
    after.send({ type: 'say', author: 'Ada', text: 'back again' });
    await after.hears('back again');
    after.leave();
  });

  test('reaches people on two instances at once, of the old version and of the new', async () => {
    const guest = new Guest();
    await guest.arrived();
    await platform.appengineJson('deploy', join(root, 'sample-apps', 'chat'), '--app', 'chat', '--version', 'next');
    const next = new Guest();
    await next.arrived();
    next.send({ type: 'say', author: 'Ada', text: 'to both instances' });
    // They hear of each other through the datastore.
    await guest.hears('to both instances');
    for (const each of [guest, next]) each.leave();
  });
});
