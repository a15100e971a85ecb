// The port of the public datastore API with a certificate: TLS, and clear text beside it for this machine alone.
import { once } from 'node:events';
import { get as httpGet, type IncomingMessage } from 'node:http';
import { get as httpsGet } from 'node:https';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import * as grpc from '@grpc/grpc-js';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { isAdmitted } from '../../datastore/api/v1/transport/tls-front.ts';
import { type V1Credentials } from '../../datastore/api/v1/transport/identity.ts';
import { DatastoreV1Server } from '../../datastore/api/v1/transport/server.ts';
import { FixedCertificates } from '../../router/tls.ts';
import { systemClock, systemTimers } from '../../sdk/support/clock.ts';
import { MemoryLog } from '../../sdk/support/log.ts';
import { type TestCertificate, testCertificate } from './test-certificate.ts';

let certificate: TestCertificate;
let certificates: FixedCertificates;
let server: DatastoreV1Server;
let port: number;
let seen: V1Credentials[];
const opened: { destroy: () => unknown }[] = [];

beforeAll(() => {
  certificate = testCertificate();
});

beforeEach(async () => {
  seen = [];
  certificates = new FixedCertificates(certificate);
  const service = { call: (_method: string, request: Buffer) => Promise.resolve(request) };
  server = new DatastoreV1Server(service, systemClock, systemTimers, new MemoryLog(), {
    certificates,
    authenticate: (credentials) => {
      seen.push(credentials);
      return { appOf: (project) => project, isProven: true };
    },
    limits: { drainMs: 50 },
  });
  ({ port } = await server.start({ host: '127.0.0.1', port: 0 }));
});

afterEach(async () => {
  for (const each of opened.splice(0)) each.destroy();
  await server.close();
});

/** What the server echoes of a Lookup. */
function call(credentials: grpc.ChannelCredentials): Promise<string> {
  const client = new grpc.Client(`127.0.0.1:${port}`, credentials);
  opened.push({
    destroy: () => {
      client.close();
    },
  });
  const asIs = (bytes: Buffer): Buffer => bytes;
  return new Promise((resolve, reject) => {
    const path = '/google.datastore.v1.Datastore/Lookup';
    client.makeUnaryRequest(path, asIs, asIs, Buffer.from('hello'), { deadline: Date.now() + 5_000 }, (error, answer) => {
      if (error) reject(error);
      else resolve(String(answer));
    });
  });
}

/** As the documentation says that clients do it. */
function bearer(token: string): grpc.CallCredentials {
  return grpc.credentials.createFromMetadataGenerator((_options, done) => {
    const metadata = new grpc.Metadata();
    metadata.set('authorization', `Bearer ${token}`);
    done(null, metadata);
  });
}

const secure = (ca = certificate.cert): grpc.ChannelCredentials =>
  grpc.credentials.combineChannelCredentials(grpc.credentials.createSsl(Buffer.from(ca)), bearer('aeds_1'));

async function ok(answered: Promise<unknown[]>): Promise<number | undefined> {
  const [response] = (await answered) as [IncomingMessage];
  response.resume();
  return response.statusCode;
}

describe('with a certificate', () => {
  test('a gRPC client calls by TLS and shows its token', async () => {
    expect(await call(secure())).toBe('hello');
    expect(seen).toMatchObject([{ authorization: 'Bearer aeds_1', isLocal: true }]);
  });

  test.each([
    [['h2'], 'h2'],
    [['grpc-exp', 'h2'], 'h2'],
    [['h2', 'http/1.1'], 'http/1.1'],
  ])('a client that offers %j speaks %s', async (ALPNProtocols, wanted) => {
    const socket = connectTls({ port, host: '127.0.0.1', servername: 'localhost', ca: certificate.cert, ALPNProtocols });
    opened.push(socket);
    await once(socket, 'secureConnect');
    expect(socket.alpnProtocol).toBe(wanted);
  });

  test('HTTP is served by TLS, whether the client speaks of protocols or not', async () => {
    expect(
      await ok(
        once(httpsGet({ port, host: '127.0.0.1', servername: 'localhost', path: '/', ca: certificate.cert, agent: false }), 'response'),
      ),
    ).toBe(200);
    const offers = {
      port,
      host: '127.0.0.1',
      servername: 'localhost',
      path: '/',
      ca: certificate.cert,
      agent: false,
      ALPNProtocols: ['http/1.1'],
    };
    expect(await ok(once(httpsGet(offers), 'response'))).toBe(200);
  });

  test('programs of this machine may go on in clear text', async () => {
    expect(await call(grpc.credentials.createInsecure())).toBe('hello');
    expect(await ok(once(httpGet({ port, host: '127.0.0.1', path: '/', agent: false }), 'response'))).toBe(200);
  });

  test.each([
    ['http1', false, false],
    ['http2', false, false],
    ['tls', false, true],
    ['http1', true, true],
    ['http2', true, true],
  ] as const)('%s with isLocal %s is admitted: %s', (protocol, isLocal, wanted) => {
    expect(isAdmitted(protocol, { hasTls: true, isLocal })).toBe(wanted);
    expect(isAdmitted(protocol, { hasTls: false, isLocal })).toBe(true);
  });

  test('a new certificate is used from then on', async () => {
    const renewed = testCertificate();
    certificates.set(renewed);
    await expect(call(secure())).rejects.toMatchObject({ code: grpc.status.UNAVAILABLE });
    expect(await call(secure(renewed.cert))).toBe('hello');
  });

  test('no TLS in TLS, no old versions, no rubbish; each ends its own connection alone', async () => {
    expect(await call(secure())).toBe('hello');
    const rubbish = connect(port, '127.0.0.1');
    opened.push(rubbish);
    rubbish.on('error', () => undefined);
    rubbish.write(Buffer.from([0x16, 3, 1, 0, 4, 1, 2, 3, 4]));
    await closed(rubbish);
    const old = connectTls({
      port,
      host: '127.0.0.1',
      servername: 'localhost',
      ca: certificate.cert,
      maxVersion: 'TLSv1.1',
      minVersion: 'TLSv1',
      ciphers: 'ALL@SECLEVEL=0',
    });
    await expect(once(old, 'secureConnect')).rejects.toThrow();
    const outer = connectTls({ port, host: '127.0.0.1', servername: 'localhost', ca: certificate.cert });
    opened.push(outer);
    await once(outer, 'secureConnect');
    outer.on('error', () => undefined);
    const inner = connectTls({ socket: outer, servername: 'localhost', ca: certificate.cert });
    await expect(once(inner, 'secureConnect')).rejects.toThrow();
    await closed(outer);
    expect(await call(secure())).toBe('hello');
  });

  test('a TLS connection is counted once, and the server does not wait for one that is half open', async () => {
    const half = connect(port, '127.0.0.1');
    opened.push(half);
    await once(half, 'connect');
    half.write(Buffer.from([0x16]));
    const whole = connectTls({ port, host: '127.0.0.1', servername: 'localhost', ca: certificate.cert });
    opened.push(whole);
    whole.write('GET / HTTP/1.1\r\nhost: localhost\r\n\r\n');
    await once(whole, 'data');
    await expect.poll(() => server.connectionsOpen).toBe(2);
    await server.close();
    expect(server.connectionsOpen).toBe(0);
  });
});

function closed(socket: Socket): Promise<unknown> {
  socket.resume();
  return socket.closed ? Promise.resolve() : once(socket, 'close');
}
