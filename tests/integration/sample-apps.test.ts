// The sample apps as a user deploys them, driven over HTTP and WebSockets through the router.
import { readFile } from 'node:fs/promises';
import { get } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import sharp from 'sharp';
import { WebSocket } from 'ws';
import { type AdminInstanceView } from '../../sdk/contract/admin/admin.ts';
import { type MailSummaryView } from '../../sdk/contract/admin/data.ts';
import { Browser } from './browser-session.ts';
import { type Answer, PlatformProcess, root, waitFor } from './platform-process.ts';

let platform: PlatformProcess;

beforeAll(async () => {
  platform = await PlatformProcess.start();
});

afterAll(() => platform.remove());

/** As the console does. */
async function addAccount(email: string, password: string): Promise<void> {
  const token = (await readFile(join(platform.dataDirectory, 'credentials', 'owner-token'), 'utf8')).trim();
  const answer = await fetch(`${platform.consoleUrl}/api/v1/accounts`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ email, password }),
  });
  expect(answer.status, await answer.text()).toBe(201);
}

function download(app: string, path: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const settings = { host: '127.0.0.1', port: platform.routerPort, path, headers: { host: `${app}.localhost` }, agent: false };
    get(settings, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        if (response.statusCode === 200) resolve(Buffer.concat(chunks));
        else reject(new Error(`${path} answers ${response.statusCode ?? 0}`));
      });
    }).on('error', reject);
  });
}

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

describe('photo album', () => {
  let picture: Buffer;

  /** Large and noisy, so that it does not fit into an entity as it is. */
  beforeAll(async () => {
    const [width, height] = [1800, 1200];
    const noise = Buffer.alloc(width * height * 3);
    for (let at = 0, state = 1; at < noise.length; at++) {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
      noise[at] = 96 + ((state >>> 16) & 63);
    }
    picture = await sharp(noise, { raw: { width, height, channels: 3 } })
      .png()
      .toBuffer();
    expect(picture.length).toBeGreaterThan(1_048_576);
    await deploySample('photo-album');
    await addAccount('ada@example.com', 'difference engine');
    await addAccount('bob@example.com', 'analytical engine');
  });

  const visitor = (): Browser => new Browser(platform.routerPort, 'photo-album.localhost');

  const upload = async (bytes: Uint8Array, title: string): Promise<Answer> =>
    platform.http('photo-album', `/photos?title=${encodeURIComponent(title)}`, {
      method: 'POST',
      body: bytes,
      headers: { 'content-type': 'image/png' },
      msMax: 60_000,
    });

  test('keeps an upload as a JPEG that fits, and a smaller thumbnail', async () => {
    const answer = await upload(picture, 'Noise <b>');
    expect(answer.status, answer.text).toBe(201);
    const { thumbnail, picture: full } = JSON.parse(answer.text) as { thumbnail: string; picture: string };
    const [large, small] = [await download('photo-album', full), await download('photo-album', thumbnail)];
    expect(await sharp(large).metadata()).toMatchObject({ format: 'jpeg', width: 1600, height: 1067 });
    expect(await sharp(small).metadata()).toMatchObject({ format: 'jpeg', width: 320, height: 320 });
    expect(large.length).toBeLessThan(1_000_000);
    expect(small.length).toBeLessThan(large.length / 4);
    const page = await platform.http('photo-album', String(answer.headers['location']));
    expect(page.text).toContain('<h1>Noise &lt;b&gt;</h1>');
    expect(page.text).not.toContain('<b>');
  });

  test('lists from the cache until something changes', async () => {
    const list = async (): Promise<[unknown, boolean]> => {
      const answer = await platform.http('photo-album', '/');
      return [answer.headers['x-album-cache'], answer.text.includes('Second')];
    };
    // The lock of the last change keeps the list out of the cache for a moment.
    await waitFor('the list to be cached', async () => (await list())[0] === 'hit');
    expect(await list()).toEqual(['hit', false]);
    expect(
      (
        await upload(
          await sharp({ create: { width: 4, height: 4, channels: 3, background: 'red' } })
            .png()
            .toBuffer(),
          'Second',
        )
      ).status,
    ).toBe(201);
    expect(await list()).toEqual(['miss', true]);
    await waitFor('the list to be cached again', async () => (await list())[0] === 'hit');
    expect(await list()).toEqual(['hit', true]);
  });

  test('takes the form of its page', async () => {
    const form = new FormData();
    form.set('photo', new Blob([new Uint8Array(picture)], { type: 'image/png' }), 'beach at noon.png');
    form.set('title', '');
    const encoded = new Response(form);
    const answer = await platform.http('photo-album', '/photos', {
      method: 'POST',
      body: new Uint8Array(await encoded.arrayBuffer()),
      headers: { 'content-type': encoded.headers.get('content-type') ?? '' },
      msMax: 60_000,
    });
    expect(answer.status, answer.text).toBe(303);
    expect((await platform.http('photo-album', String(answer.headers['location']))).text).toContain('<h1>beach at noon</h1>');
  });

  test.each<[string, Uint8Array | string, Record<string, string>, number]>([
    ['a text that says it is a picture', 'no picture', { 'content-type': 'image/png' }, 400],
    ['an empty body', '', { 'content-type': 'image/png' }, 400],
    ['a form that is none', 'nothing', { 'content-type': 'multipart/form-data; boundary=x' }, 400],
    ['another type', '{}', { 'content-type': 'application/json' }, 400],
    [
      'a drawing with a script',
      '<svg xmlns="http://www.w3.org/2000/svg"><script>1</script></svg>',
      { 'content-type': 'image/svg+xml' },
      400,
    ],
    ['more than 8 MB', Buffer.alloc(8 * 1024 * 1024 + 1), { 'content-type': 'image/png' }, 413],
    ['a form of another page', 'x', { 'content-type': 'image/png', origin: 'http://other.localhost' }, 403],
  ])('refuses %s', async (_, body, headers, status) => {
    const answer = await platform.http('photo-album', '/photos', { method: 'POST', body, headers, msMax: 60_000 });
    expect(answer.status, answer.text).toBe(status);
    expect(answer.text).toContain('role="alert"');
  });

  test.each(['/photos/1', '/photos/x', '/photos/0', '/photos/1/full.jpg', '/photos/1/other.jpg', '/photos/99999999999999999999'])(
    'has nothing at %s',
    async (path) => {
      expect((await platform.http('photo-album', path)).status).toBe(404);
    },
  );

  test('sends a photo by mail for who has signed in, and for nobody else', async () => {
    const { id } = JSON.parse((await upload(picture, 'Shared')).text) as { id: string };
    const stranger = await visitor().post(`/photos/${id}/share`, { to: 'eve@example.com' });
    expect([stranger.status, stranger.headers['location']]).toEqual([302, expect.stringContaining('/_ah/login')]);
    const ada = visitor();
    await ada.signIn('ada@example.com', 'difference engine');
    const wrong = await ada.post(`/photos/${id}/share`, { to: 'not an address' });
    expect([wrong.status, wrong.text.includes('no mail address')]).toEqual([400, true]);
    const sent = await ada.post(`/photos/${id}/share`, { to: 'bob@example.com' });
    expect([sent.status, sent.headers['location']]).toEqual([303, `/photos/${id}?sent=1`]);
    expect((await ada.get(`/photos/${id}?sent=1`)).text).toContain('on its way');
    const { messages } = await platform.appengineJson<{ messages: MailSummaryView[] }>('mail', 'list', '--app', 'photo-album');
    expect(messages).toMatchObject([{ to: ['bob@example.com'], subject: 'A photo from ada@example.com: Shared', attachments: 1 }]);
  });

  test('lets who added a photo delete it, and nobody else', async () => {
    const [ada, bob] = [visitor(), visitor()];
    await ada.signIn('ada@example.com', 'difference engine');
    await bob.signIn('bob@example.com', 'analytical engine');
    const cookie = [...ada.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const headers = { 'content-type': 'image/png', cookie };
    const answer = await platform.http('photo-album', '/photos?title=Mine', { method: 'POST', body: picture, headers, msMax: 60_000 });
    const place = String(answer.headers['location']);
    expect((await bob.post(`${place}/delete`, {})).status).toBe(403);
    expect((await ada.get(place)).text).toContain('Delete this photo');
    expect((await bob.get(place)).text).not.toContain('Delete this photo');
    expect((await ada.post(`${place}/delete`, {})).status).toBe(303);
    for (const path of [place, `${place}/full.jpg`, `${place}/thumbnail.jpg`]) expect((await bob.get(path)).status).toBe(404);
  });
});

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
