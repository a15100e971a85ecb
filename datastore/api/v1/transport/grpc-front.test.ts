import * as grpc from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { PlatformError } from '../../../../sdk/contract/errors.ts';
import { V1_METHODS } from '../port.ts';
import { GrpcClient, openPort, type PortOptions } from './port-fixture.ts';

const open = async (options?: PortOptions) => {
  const opened = await openPort(options);
  return { ...opened, client: new GrpcClient(options?.isUnix ? `unix:${opened.path}` : `127.0.0.1:${opened.port}`) };
};

describe('gRPC', () => {
  it('brings every method and its bytes to the service, and the answer back', async () => {
    const { client, service } = await open();
    service.answer = (request, _caller, method) => Buffer.concat([Buffer.from(method), request]);
    for (const method of V1_METHODS) expect((await client.call(method, Buffer.from([8, 1]))).toString('latin1')).toBe(`${method}\x08\x01`);
    expect(service.seen.map(({ method }) => method)).toEqual(V1_METHODS);
  });

  it('takes an empty message, and a large one in gzip', async () => {
    const { port, service } = await open();
    const client = new GrpcClient(`127.0.0.1:${port}`, { 'grpc.default_compression_algorithm': grpc.compressionAlgorithms.gzip });
    expect(await client.call('Lookup', Buffer.alloc(0))).toHaveLength(0);
    const large = Buffer.alloc(1_000_000, 7);
    expect((await client.call('Lookup', large)).equals(large)).toBe(true);
    expect(service.seen).toHaveLength(2);
  });

  it('tells the canonical code, and the text with its line ends and what is not ASCII', async () => {
    const { client, service } = await open();
    const text = 'recommended index is:\n- kind: Größe 100 %\n  properties:\n  - name: a\n';
    service.answer = () => Promise.reject(new PlatformError('DS_NEED_INDEX', text));
    await expect(client.call('RunQuery', Buffer.alloc(0))).rejects.toMatchObject({
      code: grpc.status.FAILED_PRECONDITION,
      details: `no matching index found: ${text}`,
    });
    service.answer = () => Promise.reject(new PlatformError('DS_INVALID', 'half a pair \ud800'));
    await expect(client.call('RunQuery', Buffer.alloc(0))).rejects.toMatchObject({ code: grpc.status.INVALID_ARGUMENT });
  });

  it('cuts a text that clients would refuse as trailers', async () => {
    const { client, service } = await open();
    service.answer = () => Promise.reject(new PlatformError('DS_INVALID', 'ö\n'.repeat(10_000)));
    const error = await client.call('Commit', Buffer.alloc(0)).catch((thrown: unknown) => thrown as grpc.ServiceError);
    expect(error).toMatchObject({ code: grpc.status.INVALID_ARGUMENT, details: expect.stringMatching(/^ö\n.*…$/s) });
    expect(encodeURI((error as grpc.ServiceError).details).length).toBeLessThan(4_200);
  });

  it('says no more than that of a failure of ours, and logs it once with the method', async () => {
    const { client, service, log } = await open();
    service.answer = () => Promise.reject(new Error('secret: /data/store'));
    await expect(client.call('Commit', Buffer.alloc(0))).rejects.toMatchObject({
      code: grpc.status.INTERNAL,
      details: 'Something in the platform failed',
    });
    expect(log.lines).toMatchObject([{ level: 'error', fields: { method: 'Commit' } }]);
  });

  it.each(['/google.datastore.v1.Datastore/Nothing', '/google.datastore.v1beta3.Datastore/Lookup', '/x'])('knows no %s', async (path) => {
    const { client } = await open();
    await expect(client.call('', Buffer.alloc(0), { path })).rejects.toMatchObject({ code: grpc.status.UNIMPLEMENTED });
  });

  it('asks who calls with the metadata of each call', async () => {
    const asked: unknown[] = [];
    const { client, service } = await open({
      authenticate: (credentials) => {
        asked.push(credentials);
        if (credentials.authorization !== 'Bearer a') throw new PlatformError('DS_FORBIDDEN', 'no token');
        return { appOf: () => 'app-a', isProven: true };
      },
    });
    await client.call('Lookup', Buffer.alloc(0), { metadata: { authorization: 'Bearer a' } });
    expect(service.seen[0]?.caller.appOf('whatever')).toBe('app-a');
    await expect(client.call('Lookup', Buffer.alloc(0))).rejects.toMatchObject({ code: grpc.status.PERMISSION_DENIED });
    expect(service.seen).toHaveLength(1);
    expect(asked).toEqual([
      { authorization: 'Bearer a', isLocal: true },
      { authorization: undefined, isLocal: true },
    ]);
  });

  it('serves a unix socket', async () => {
    const { client } = await open({ isUnix: true });
    expect(await client.call('Lookup', Buffer.from('x'))).toEqual(Buffer.from('x'));
  });

  it("aborts the caller's signal when the deadline passes, and when the client gives up", async () => {
    const { client, service } = await open();
    const reasons: unknown[] = [];
    let began = (): void => undefined;
    service.answer = (_request, { signal }) => {
      began();
      return new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          reasons.push(signal.reason);
          reject(signal.reason as Error);
        });
      });
    };
    // Said to the server alone, for a client that knows of it gives up by itself.
    await expect(client.call('RunQuery', Buffer.alloc(0), { metadata: { 'grpc-timeout': '50m' } })).rejects.toMatchObject({
      code: grpc.status.DEADLINE_EXCEEDED,
    });
    await expect.poll(() => reasons).toMatchObject([{ code: 'DEADLINE_EXCEEDED' }]);
    const isBegun = new Promise<void>((resolve) => (began = resolve));
    const call = client.begin('RunQuery', Buffer.alloc(0));
    await isBegun;
    call.cancel();
    await expect(call.answer).rejects.toMatchObject({ code: grpc.status.CANCELLED });
    await expect.poll(() => reasons).toMatchObject([{ code: 'DEADLINE_EXCEEDED' }, { code: 'CANCELLED' }]);
  });

  it('does not abort the signal of a call that was answered', async () => {
    const { client, service } = await open();
    await client.call('Lookup', Buffer.alloc(0));
    client.close();
    await expect.poll(() => service.seen[0]?.caller.signal.aborted).toBe(false);
  });

  it('lets calls under way finish when it closes, and ends those that take longer', async () => {
    const { client, service, server } = await open({ limits: { drainMs: 100 } });
    let finish = (): void => undefined;
    service.answer = (request) =>
      request[0] === 1 ? new Promise((resolve) => (finish = () => resolve(request))) : new Promise(() => undefined);
    const quick = client.call('Lookup', Buffer.from([1]));
    const endless = client.call('Lookup', Buffer.from([2]));
    endless.catch(() => undefined);
    await expect.poll(() => service.seen.length).toBe(2);
    const closed = server.close();
    finish();
    expect(await quick).toEqual(Buffer.from([1]));
    await expect(endless).rejects.toMatchObject({ code: expect.any(Number) });
    await closed;
    expect(server.connectionsOpen).toBe(0);
  });
});
