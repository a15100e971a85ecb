import { createServer, get } from 'node:http';
import { type AddressInfo } from 'node:net';
import { Writable } from 'node:stream';
import { expect, it } from 'vitest';
import { endWhole } from './small-answer.ts';

/** What a client gets of a body that was ended whole, and in how many writes the server's socket was given it. */
async function sent(body: Buffer, flushFirst = false): Promise<{ received: Buffer; vectors: number }> {
  let vectors = 0;
  const server = createServer((request, response) => {
    const socket = request.socket as unknown as { _writev: (this: unknown, ...args: unknown[]) => void };
    const writev = socket._writev;
    socket._writev = function (...args) {
      vectors++;
      writev.apply(this, args);
    };
    response.writeHead(200, ['Content-Length', String(body.length), 'X-Name', 'caf\u00e9']);
    if (flushFirst) response.flushHeaders();
    endWhole(response, body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const { port } = server.address() as AddressInfo;
    const received = await new Promise<Buffer>((resolve, reject) => {
      get({ port, host: '127.0.0.1', agent: false }, (response) => {
        const chunks: Buffer[] = [];
        if (!flushFirst) expect(response.headers['x-name']).toBe('caf\u00e9');
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => resolve(Buffer.concat(chunks)));
      }).on('error', reject);
    });
    return { received, vectors };
  } finally {
    server.close();
  }
}

const everyByte = Buffer.from(Array.from({ length: 256 }, (_each, byte) => byte));

it.each([
  ['every byte', everyByte],
  ['one byte', Buffer.from('x')],
  ['the most that is small', Buffer.alloc(8_192, everyByte)],
])('%s goes out with the head, unchanged and as one string', async (_name, body) => {
  expect(await sent(body)).toEqual({ received: body, vectors: 0 });
});

it('what is not small goes out in the ordinary way', async () => {
  const body = Buffer.alloc(100_000, everyByte);
  expect((await sent(body)).received.equals(body)).toBe(true);
});

it('nothing is lost when the head is on its way already', async () => {
  expect((await sent(everyByte, true)).received).toEqual(everyByte);
});

it('answers of other protocols end with the body', () => {
  let body: unknown;
  const response = Object.assign(new Writable(), { end: (chunk: unknown) => (body = chunk) });
  endWhole(response as never, everyByte);
  expect(body).toBe(everyByte);
});
