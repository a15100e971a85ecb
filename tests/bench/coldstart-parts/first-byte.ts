// A request on a connection of its own, until the first byte of its answer.
import { connect, type NetConnectOpts } from 'node:net';

const ATTEMPTS_MAX = 20_000;

/** Throws when what answers is not a 200, and when nothing ever listens. */
export async function firstByte(address: NetConnectOpts, host: string, options: { readonly retryMs: number }): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const answer = await ask(address, host);
    if (answer !== undefined) {
      if (answer.startsWith('HTTP/1.1 200')) return;
      throw new Error(`${host} answers ${answer.slice(0, 300)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, options.retryMs));
  }
  throw new Error(`${host} never answered`);
}

/** Undefined when nobody listens. */
function ask(address: NetConnectOpts, host: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect(address);
    socket.once('connect', () => socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`));
    socket.once('data', (data: Buffer) => {
      resolve(data.toString('latin1'));
      socket.destroy();
    });
    socket.once('error', () => {
      resolve(undefined);
    });
  });
}
