// Security 73 and 78 on the v1 socket of an instance: an app that speaks to its datastore-v1.sock without any client library.
import { mkdtemp, rm } from 'node:fs/promises';
import { type IncomingMessage, request } from 'node:http';
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as grpc from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type V1Method } from '../../datastore/api/v1/port.ts';
import { decode, encode, entityOf, keyOf, messageType, type Plain } from '../../datastore/api/v1/messages/v1-fixture.ts';
import { DatastoreV1Service } from '../../datastore/api/v1/v1-service.ts';
import { type Datastore } from '../../datastore/datastore.ts';
import { openDatastore } from '../../datastore/fixture.ts';
import { CallPassage } from '../../runtime/api/call-passage.ts';
import { datastoreV1Listener } from '../../runtime/api/instance-datastore.ts';
import { MemoryUsageMeter, type QuotaGate } from '../../runtime/api/usage-meter.ts';
import { V1CallGuard } from '../../runtime/api/v1-call-guard.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { CloseStack } from '../../sdk/support/close-stack.ts';
import { MemoryLog } from '../../sdk/support/log.ts';
import { type VirtualTime } from '../../sdk/support/virtual-time.ts';

const { status } = grpc;
const MiB = 2 ** 20;
const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const SECRET = { n: 1, text: 'of the victim' };

/** An app as its instance meets the datastore: a socket of its own, and a channel to it. */
class Tenant {
  readonly path: string;
  readonly #client: grpc.Client;

  constructor(path: string) {
    this.path = path;
    this.#client = new grpc.Client(`unix:${path}`, grpc.credentials.createInsecure(), { 'grpc.max_send_message_length': -1 });
  }

  async call<T = Plain>(method: V1Method, request: Plain, projectId = 'shared'): Promise<T> {
    return decode(
      messageType(`${method}Response`),
      await this.send(method, encode(messageType(`${method}Request`), { projectId, ...request })),
    ) as T;
  }

  send(method: V1Method, request: Buffer): Promise<Buffer> {
    const asIs = (bytes: Buffer): Buffer => bytes;
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(`/google.datastore.v1.Datastore/${method}`, asIs, asIs, request, (error, answer) => {
        if (answer) resolve(answer);
        else reject(error ?? new Error('no answer'));
      });
    });
  }

  write(key: Plain, properties: Readonly<Record<string, number | string>>, projectId?: string): Promise<Plain> {
    return this.call('Commit', { mode: 'NON_TRANSACTIONAL', mutations: [{ upsert: entityOf(key, properties) }] }, projectId);
  }

  async texts(projectId?: string): Promise<readonly unknown[]> {
    const { batch } = await this.call<{ batch: { entityResults?: readonly Found[] } }>('RunQuery', { query: {} }, projectId);
    return (batch.entityResults ?? []).map(textOf);
  }

  close(): void {
    this.#client.close();
  }
}

interface Found {
  readonly entity: { readonly properties: { readonly text: { readonly stringValue: string } } };
}
const textOf = ({ entity }: Found): string => entity.properties.text.stringValue;

let closing: CloseStack;
let datastore: Datastore;
let time: VirtualTime;
let meter: MemoryUsageMeter;
let overQuota: string | undefined;
let mallory: Tenant;
let victim: Tenant;

beforeEach(async () => {
  closing = new CloseStack();
  ({ datastore, time } = await openDatastore());
  closing.defer(() => datastore.close());
  const directory = await mkdtemp(join(tmpdir(), 'v1-'));
  closing.defer(() => rm(directory, { recursive: true, force: true }));
  meter = new MemoryUsageMeter();
  overQuota = undefined;
  const gate: QuotaGate = {
    check: (appId) => {
      if (appId === overQuota) throw new PlatformError('QUOTA_EXCEEDED', appId);
    },
  };
  const service = new DatastoreV1Service(() => datastore, new V1CallGuard(new CallPassage(gate, meter), gate, meter));
  const open = async (appId: string): Promise<Tenant> => {
    const path = join(directory, `${appId}.sock`);
    const listener = datastoreV1Listener(path, { appId }, service, time, time, new MemoryLog());
    await listener.start();
    closing.defer(async () => {
      const closed = listener.close();
      // What is under way may finish, in the listener's time.
      await time.advanceAsync(LIMITS.v1DrainMs);
      await closed;
    });
    const tenant = new Tenant(path);
    closing.defer(() => {
      tenant.close();
    });
    return tenant;
  };
  mallory = await open('mallory');
  victim = await open('victim');
  await victim.write(keyOf('Secret', 'one'), SECRET);
});
afterEach(() => closing.close());

async function expectVictimServed(): Promise<void> {
  const { found } = await victim.call<{ found: readonly Found[] }>('Lookup', { keys: [keyOf('Secret', 'one')] });
  expect(found.map(textOf)).toEqual(['of the victim']);
}

describe("73: another app's data, on the v1 socket of an instance", () => {
  test.each(['shared', 'victim', 'mallory', 'anything'])('is not there, whatever the project is called: %s', async (project) => {
    expect(await mallory.texts(project)).toEqual([]);
    await mallory.write(keyOf('Secret', 'one'), { text: 'taken over' }, project);
    await mallory.call('Commit', { mode: 'NON_TRANSACTIONAL', mutations: [{ delete: keyOf('Secret', 'two') }] }, project);
    expect(await mallory.texts(project)).toEqual(['taken over']);
    expect(await victim.texts(project)).toEqual(['of the victim']);
  });

  test.each<[string, V1Method, Plain]>([
    ['to read', 'Lookup', { keys: [ofVictim(keyOf('Secret', 'one'))] }],
    ['to write', 'Commit', { mode: 'NON_TRANSACTIONAL', mutations: [{ upsert: entityOf(ofVictim(keyOf('Secret', 'one')), { n: 2 }) }] }],
    ['to delete', 'Commit', { mode: 'NON_TRANSACTIONAL', mutations: [{ delete: ofVictim(keyOf('Secret', 'one')) }] }],
    ['to allocate ids for', 'AllocateIds', { keys: [ofVictim(keyOf('Secret'))] }],
    ['to reserve', 'ReserveIds', { keys: [ofVictim(keyOf('Secret', 5))] }],
    ['as an ancestor', 'RunQuery', { query: { filter: keyFilter('HAS_ANCESTOR') } }],
    ['in a filter', 'RunQuery', { query: { kind: [{ name: 'Secret' }], filter: keyFilter('EQUAL') } }],
    ['in the partition', 'RunQuery', { partitionId: { projectId: 'victim' }, query: {} }],
    [
      'in GQL',
      'RunQuery',
      { gqlQuery: { queryString: `SELECT * WHERE __key__ HAS ANCESTOR KEY(PROJECT('victim'), Secret, 'one')`, allowLiterals: true } },
    ],
  ])('is not reached by a key of the victim %s', async (_use, method, request) => {
    const refused = expect.toSatisfy((code) => code === status.PERMISSION_DENIED || code === status.INVALID_ARGUMENT) as number;
    await expect(mallory.call(method, request)).rejects.toMatchObject({ code: refused });
    expect(await victim.texts()).toEqual(['of the victim']);
  });

  test("is not reached by the victim's transactions and cursors", async () => {
    const { transaction } = await victim.call<{ transaction: string }>('BeginTransaction', {});
    const lookup = { keys: [keyOf('Secret', 'one')], readOptions: { transaction } };
    await expect(mallory.call('Lookup', lookup)).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
    await expect(mallory.call('Commit', { transaction, mutations: [] })).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
    const query = { kind: [{ name: 'Secret' }], limit: { value: 1 } };
    const { batch } = await victim.call<{ batch: { endCursor: string } }>('RunQuery', { query });
    const stolen = mallory.call('RunQuery', { query: { ...query, startCursor: batch.endCursor } });
    await expect(stolen).rejects.toMatchObject({ code: expect.toSatisfy((code) => code !== status.INTERNAL) as number });
    expect((await victim.call<{ found: readonly Found[] }>('Lookup', lookup)).found.map(textOf)).toEqual(['of the victim']);
  });

  test('is not reached by a token, and calls are counted as those of whose socket it is', async () => {
    const before = meter.totals.get('victim')?.datastoreCalls;
    await mallory.write(keyOf('Mine', 'x'), { text: 'mine' }, 'victim');
    expect(await mallory.texts('victim')).toEqual(['mine']);
    expect(meter.totals.get('victim')?.datastoreCalls).toBe(before);
    expect(meter.totals.get('mallory')?.datastoreCalls).toBe(2);
    overQuota = 'mallory';
    await expect(mallory.texts('victim')).rejects.toMatchObject({ code: status.RESOURCE_EXHAUSTED });
    await expectVictimServed();
  });
});

function ofVictim(key: Plain): Plain {
  return { ...key, partitionId: { projectId: 'victim' } };
}

function keyFilter(op: string): Plain {
  return { propertyFilter: { property: { name: '__key__' }, op, value: { keyValue: ofVictim(keyOf('Secret', 'one')) } } };
}

describe('78: floods and half-sent frames on the v1 socket of an instance', () => {
  test('of calls: another instance gets its answers meanwhile, and the flooder is told', async () => {
    const outcomes = Array.from({ length: 600 }, () => mallory.call('RunQuery', { query: {} }).then(Object, (error: unknown) => error));
    for (let round = 0; round < 20; round++) await expectVictimServed();
    const codes = new Set((await Promise.all(outcomes)).map((outcome) => (outcome as { readonly code?: number }).code));
    expect([undefined, status.RESOURCE_EXHAUSTED]).toEqual(expect.arrayContaining([...codes]));
    expect(codes).toContain(undefined);
  });

  test('of connections: so many are open, silent and half-begun ones go, and the instance is served again', async () => {
    const beginnings = [
      '',
      'PRI * HT',
      PREFACE,
      `${PREFACE}\0\0\x12\x04`,
      'GET / HTT',
      'POST /v1/projects/x:lookup HTTP/1.1\r\nContent-Le',
    ];
    const sockets: Socket[] = [];
    for (let index = 0; index < 2_000; index++) {
      const socket = connect(mallory.path).on('error', () => undefined);
      socket.resume().write(beginnings[index % beginnings.length] ?? '');
      sockets.push(socket);
      if (index % 100 === 0) await expectVictimServed();
    }
    closing.defer(() => {
      for (const socket of sockets) socket.destroy();
    });
    const open = (): number => sockets.filter(({ destroyed, readableEnded }) => !destroyed && !readableEnded).length;
    await expect.poll(open).toBe(LIMITS.v1InstanceConnectionsMax);
    await expectVictimServed();
    // Each second something may still arrive; what has begun a head has this long for it.
    for (let second = 0; second < LIMITS.requestHeaderMs / 1_000 + 2; second++) await time.advanceAsync(1_000);
    // Only those that speak HTTP/2 and are silent for longer are left: they are idle, and make room.
    await expect.poll(open).toBeLessThan(LIMITS.v1InstanceConnectionsMax / 2);
    expect(await mallory.texts()).toEqual([]);
    await expectVictimServed();
  });

  test('of huge messages: one that is too large is refused, and half-sent ones hold so much and for so long', async () => {
    await expect(mallory.send('Lookup', Buffer.alloc(LIMITS.v1RequestBytesMax + 1))).rejects.toMatchObject({
      code: status.RESOURCE_EXHAUSTED,
    });
    const session = http2Session();
    const part = Buffer.alloc(6 * MiB);
    // A gRPC message of 11 MiB begins, and its second half never comes.
    const halves = Array.from({ length: 8 }, () => begin(session, Buffer.concat([Buffer.from([0, 0, 0xb0, 0, 0]), part])));
    const open = (): number => halves.filter(({ isEnded }) => !isEnded).length;
    await expect.poll(open).toBeLessThanOrEqual(Math.floor(LIMITS.v1InstanceHeldBytesMax / part.length));
    await expectVictimServed();
    expect(open()).toBeGreaterThan(0);
    await pass(LIMITS.v1BodyMs + 2_000, session);
    await expect.poll(open).toBe(0);
    expect(await mallory.texts()).toEqual([]);
  });

  test('of answers that nobody reads: the flooder waits for its own reads, commits pass, and after a minute it is let go', async () => {
    const text = 'x'.repeat(1_000_000);
    await mallory.call('Commit', {
      mode: 'NON_TRANSACTIONAL',
      mutations: [{ upsert: { key: keyOf('Large', 'x'), properties: { text: { stringValue: text, excludeFromIndexes: true } } } }],
    });
    const request = encode(messageType('LookupRequest'), { projectId: 'x', keys: [keyOf('Large', 'x')] });
    const session = http2Session({ initialWindowSize: 0 });
    const frame = Buffer.concat([Buffer.from([0, 0, 0, 0, request.length]), request]);
    const before = meter.totals.get('mallory')?.datastoreCalls ?? 0;
    const streams = Array.from({ length: 90 }, () => begin(session, frame, 'end'));
    const answered = (): number => (meter.totals.get('mallory')?.datastoreCalls ?? 0) - before;
    // Those at work when the bound was reached may overshoot it by as much again.
    await expect.poll(answered).toBeGreaterThanOrEqual(32);
    await expectVictimServed();
    const stuck = mallory.texts();
    await mallory.write(keyOf('Small', 'x'), { text: 'written' });
    expect(answered()).toBeLessThan(80);
    const ended = (): number => streams.filter(({ isEnded }) => isEnded).length;
    expect(ended()).toBe(0);
    await pass(LIMITS.v1BodyMs + 2_000, session);
    await expect.poll(ended).toBeGreaterThanOrEqual(32);
    expect(session.destroyed).toBe(false);
    session.destroy();
    expect(await stuck).toContain('written');
    await expectVictimServed();
  });

  test('of pipelined requests whose answers nobody reads: they wait, and go with their connection', async () => {
    const text = 'x'.repeat(1_000_000);
    await mallory.call('Commit', {
      mode: 'NON_TRANSACTIONAL',
      mutations: [{ upsert: { key: keyOf('Large', 'x'), properties: { text: { stringValue: text, excludeFromIndexes: true } } } }],
    });
    const body = encode(messageType('LookupRequest'), { projectId: 'x', keys: [keyOf('Large', 'x')] });
    const head = `POST /v1/projects/x:lookup HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\ncontent-length: ${body.length}\r\n\r\n`;
    const before = meter.totals.get('mallory')?.datastoreCalls ?? 0;
    const answered = (): number => (meter.totals.get('mallory')?.datastoreCalls ?? 0) - before;
    const socket = connect(mallory.path)
      .on('error', () => undefined)
      .pause();
    socket.write(Buffer.concat(Array.from({ length: 200 }, () => Buffer.concat([Buffer.from(head, 'latin1'), body]))));
    await expect.poll(answered).toBeGreaterThanOrEqual(32);
    const stuck = mallory.texts();
    await mallory.write(keyOf('Small', 'x'), { text: 'written' });
    await expectVictimServed();
    expect(answered()).toBeLessThan(80);
    socket.destroy();
    expect(await stuck).toContain('written');
  });

  test.each(['reset', 'shutdown'])("of the emulator's surface: POST /%s is refused", async (path) => {
    await mallory.write(keyOf('Mine', 'x'), { text: 'mine' });
    const { statusCode } = await new Promise<IncomingMessage>((resolve, reject) => {
      request({ socketPath: mallory.path, path: `/${path}`, method: 'POST', agent: false }, (response) => {
        response.resume().once('end', () => resolve(response));
      })
        .once('error', reject)
        .end();
    });
    expect(statusCode).toBe(403);
    expect(await mallory.texts()).toEqual(['mine']);
    await expectVictimServed();
  });

  test('of garbage: whatever it is, it ends with its own connection', async () => {
    const garbage = [
      '\0'.repeat(1_000),
      '\x16\x03\x01\x02\0\x01\0',
      `${PREFACE}${'\xff'.repeat(200)}`,
      'GET / HTTP/9.9\r\n\r\n',
      '\r\n\r\n\r\n\r\n',
    ];
    for (const bytes of garbage) {
      const socket = connect(mallory.path).on('error', () => undefined);
      const closed = new Promise((resolve) => socket.once('close', resolve));
      socket.resume().end(Buffer.from(bytes, 'latin1'));
      await closed;
    }
    const malformed = [Buffer.from('ffffff', 'hex'), Buffer.from('0a', 'hex'), Buffer.alloc(1_000, 0x0a)];
    for (const request of malformed) await expect(mallory.send('Commit', request)).rejects.toMatchObject({ code: status.INVALID_ARGUMENT });
    expect(await mallory.texts()).toEqual([]);
    await expectVictimServed();
  });
});

function http2Session(settings: Readonly<Record<string, number>> = {}): ClientHttp2Session {
  const session = connectHttp2('http://instance', { createConnection: () => connect(mallory.path), settings });
  session.on('error', () => undefined);
  closing.defer(() => {
    session.destroy();
  });
  return session;
}

/** Time passes for the servers, and whoever is connected answers their pings. */
async function pass(ms: number, session: ClientHttp2Session): Promise<void> {
  for (let second = 0; second < ms / 1_000; second++) {
    await time.advanceAsync(1_000);
    await new Promise((resolve) => session.ping(resolve));
    await mallory.call('AllocateIds', { keys: [keyOf('Small')] });
  }
}

/** A call of which so much is sent. */
function begin(session: ClientHttp2Session, bytes: Buffer, ends?: 'end'): { isEnded: boolean } {
  const state = { isEnded: false };
  const path = '/google.datastore.v1.Datastore/Lookup';
  const stream = session.request({ ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' });
  stream.on('error', () => undefined).once('close', () => (state.isEnded = true));
  if (ends) stream.end(bytes);
  else stream.write(bytes);
  return state;
}
