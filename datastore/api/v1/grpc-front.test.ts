import * as grpc from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { systemClock, systemTimers } from '../../../sdk/support/clock.ts';
import { MemoryLog } from '../../../sdk/support/log.ts';
import { openToAll } from './identity.ts';
import { type V1Caller, type V1Method, type V1Service } from './port.ts';
import { DatastoreV1Server } from './server.ts';

type Answer = (method: V1Method, request: Buffer, caller: V1Caller) => Promise<Buffer>;

class StubService implements V1Service {
  answer: Answer = (_method, request) => Promise.resolve(request);
  call(method: V1Method, request: Buffer, caller: V1Caller): Promise<Buffer> {
    return this.answer(method, request, caller);
  }
}

describe('gRPC', () => {
  it('answers', async () => {
    const service = new StubService();
    const log = new MemoryLog();
    const server = new DatastoreV1Server(service, systemClock, systemTimers, log, { authenticate: openToAll });
    const { port } = await server.start({ host: '127.0.0.1', port: 0 });
    const client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
    const answer = await new Promise((resolve, reject) => {
      client.makeUnaryRequest(
        '/google.datastore.v1.Datastore/Lookup',
        (b: Buffer) => b,
        (b) => b,
        Buffer.from('hi'),
        (error, value) => {
          if (error) reject(error);
          else resolve(value);
        },
      );
    });
    expect(answer).toEqual(Buffer.from('hi'));
    expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('Ok\n');
    client.close();
    await server.close();
  });
});
