import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SeededRandom, VirtualTime } from '../sdk/support/virtual-time.ts';
import { LifecycleCalls } from './lifecycle-calls.ts';
import { MemoryRequestLog } from './memory-ports.ts';

const TARGET = { appId: 'guestbook', service: 'default', version: 'v1', deploymentId: 'd1' };

describe('LifecycleCalls', () => {
  let directory: string;
  let server: Server;
  let answer: (request: IncomingMessage, response: ServerResponse) => void;
  let log: MemoryRequestLog;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'lifecycle-'));
    log = new MemoryRequestLog();
    server = createServer((request, response) => answer(request, response));
    await new Promise<void>((resolve) => server.listen(join(directory, 's'), resolve));
  });

  afterEach(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await rm(directory, { recursive: true });
  });

  const send = (path: string, signal = new AbortController().signal): Promise<number> => {
    const calls = new LifecycleCalls(log, new VirtualTime(5_000), new SeededRandom(1), 'localhost');
    const start = { spawnMs: 5, readyMs: 50 };
    return calls.send({ target: TARGET, path, instanceId: 'i1', socketPath: join(directory, 's'), start, deadlineMs: 9_000 }, { signal });
  };

  it('asks as the platform does, and writes a row', async () => {
    let seen: IncomingMessage | undefined;
    answer = (request, response) => {
      seen = request;
      response.writeHead(204, { 'x-appengine-anything': '1' }).end();
    };
    expect(await send('/_ah/start')).toBe(204);
    expect(seen).toMatchObject({ method: 'GET', url: '/_ah/start' });
    expect(seen?.headers).toMatchObject({
      host: 'v1-dot-default-dot-guestbook.localhost',
      'x-appengine-user-ip': '0.1.0.3',
      'x-appengine-default-version-hostname': 'guestbook.localhost',
      'x-appengine-timeout-ms': '9000',
      'x-appengine-request-log-id': log.rows[0]?.requestId,
    });
    expect(log.rows).toMatchObject([
      {
        ...{ appId: 'guestbook', service: 'default', version: 'v1', instanceId: 'i1', method: 'GET', target: '/_ah/start', status: 204 },
        ...{ clientAddress: '0.1.0.3', isLoadingRequest: true, coldStart: { spawnMs: 5, readyMs: 45 } },
      },
    ]);
  });

  it('counts an answer and drops it', async () => {
    answer = (_, response) => response.writeHead(500).end('x'.repeat(70_000));
    expect(await send('/_ah/warmup')).toBe(500);
    expect(log.rows).toMatchObject([{ status: 500, responseBytes: 70_000 }]);
  });

  it('rejects when nobody answers, and when the caller has waited enough', async () => {
    answer = (request) => request.socket.destroy();
    await expect(send('/_ah/stop')).rejects.toThrow(/hang up|ECONNRESET/);
    const abort = new AbortController();
    answer = () => {
      abort.abort();
    };
    await expect(send('/_ah/stop', abort.signal)).rejects.toThrow(/abort/);
    expect(log.rows).toMatchObject([{ status: 499 }, { status: 499 }]);
  });

  it('cuts off an answer without end', async () => {
    answer = (_, response) => {
      response.on('error', () => undefined);
      const more = (): void => {
        if (!response.destroyed) response.write('x'.repeat(300_000), more);
      };
      more();
    };
    await expect(send('/_ah/start')).rejects.toThrow(/too long/);
  });
});
