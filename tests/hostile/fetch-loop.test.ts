// 39: an app that fetches itself without end, by a front that leads back to it, as a proxy before the platform does.
import { request } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { InstanceGateway, wireListener } from '../../runtime/api/instance-gateway.ts';
import { CallPassage } from '../../runtime/api/call-passage.ts';
import { ServiceTable } from '../../runtime/api/service-table.ts';
import { MemoryUsageMeter, OPEN_GATE } from '../../runtime/api/usage-meter.ts';
import { API_SOCKET, APP_SOCKET, EGRESS_SOCKET } from '../../runtime/host/instance.ts';
import { FetchBroker } from '../../runtime/services/url-fetch/broker.ts';
import { EgressServer } from '../../runtime/services/url-fetch/egress-server.ts';
import { urlFetchApi } from '../../runtime/services/url-fetch/fetch-service.ts';
import { sampleResolver, sampleRules, SampleTargets } from '../../runtime/services/url-fetch/sample-targets.ts';
import { HeaderPolicy } from '../../router/header-policy.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { systemTimers } from '../../sdk/support/clock.ts';
import { CloseStack } from '../../sdk/support/close-stack.ts';
import { MemoryLog } from '../../sdk/support/log.ts';
import { HostFixture, type StartedApp } from '../contract/host-fixture.ts';
import { bubblewrapSkip } from '../contract/sandbox-skip.ts';

const kind = (await bubblewrapSkip()) === undefined ? 'bubblewrap' : 'process';
const closing = new CloseStack();
const meter = new MemoryUsageMeter();
let app: StartedApp;

beforeAll(async () => {
  const fixture = await HostFixture.open(kind);
  closing.defer(() => fixture.close());
  const targets = new SampleTargets();
  closing.defer(() => targets.close());
  const policy = new HeaderPolicy('localhost');
  const facts = {
    requestId: '1',
    host: 'a',
    clientAddress: '::1',
    peerAddress: '::1',
    isHttps: false,
    isPlatformCall: false,
    defaultHostname: 'a',
    deadlineMs: 60_000,
  };
  // Headers pass as the router lets them.
  const front = await targets.http((incoming, response) => {
    const headers = policy.forInstance(incoming.rawHeaders, facts);
    request({ socketPath: join(app.view().socketDirectory, APP_SOCKET), path: incoming.url, headers, agent: false }, (answer) => {
      answer.pipe(response);
    }).end();
  });
  const broker = new FetchBroker(sampleResolver, sampleRules(['127.0.0.1/32']), meter, systemTimers);
  closing.defer(() => broker.close());
  const table = new ServiceTable([urlFetchApi(broker, systemTimers)], new CallPassage(OPEN_GATE, meter), systemTimers);
  const log = new MemoryLog();
  for (const gateway of [
    new InstanceGateway(fixture.host, log, {
      socketName: EGRESS_SOCKET,
      listenerOf: (instance, path) => new EgressServer(path, instance, broker, OPEN_GATE, meter),
    }),
    new InstanceGateway(fixture.host, log, {
      socketName: API_SOCKET,
      listenerOf: (instance, path) => wireListener(path, instance, table.servicesOf(instance), systemTimers, log),
    }),
  ]) {
    gateway.start();
    closing.defer(() => gateway.close());
  }
  app = await fixture.start(
    `const http = require('http'); const front = 'http://front.test:${front}';
     const text = (options) => new Promise((resolve, reject) => http.get(options, (r) => { let all = ''; r.on('data', (c) => all += c).on('end', () => resolve(all)); }).on('error', reject));
     serve(async (url, request) => {
       try {
         // After a turn of the loop, as a real handler does its work.
         await new Promise((resolve) => setImmediate(resolve));
         if (url === '/fetch') return 'x' + await (await fetch(front + url)).text();
         if (url === '/http') return 'x' + await text(front + url);
         if (url === '/array') return 'x' + await text({ host: 'front.test', port: ${front}, path: url, headers: ['Host', 'front.test'] });
         if (url === '/tells') return String(request.headers['cdn-loop']);
         return await (await fetch(front + '/tells')).text();
       } catch (error) { return error.code ?? error.cause?.code ?? String(error); }
     });`,
  );
  await app.reached('ready');
});
afterAll(() => closing.close());

test.each(['fetch', 'http', 'array'])('39 by %s: refused with 508 after so many fetches', async (way) => {
  meter.totals.clear();
  expect(await app.get(`/${way}`)).toBe(`${'x'.repeat(LIMITS.fetchDepthMax)}FETCH_LOOP`);
  expect(meter.totals.get('hello')?.urlFetchCalls).toBe(LIMITS.fetchDepthMax + 1);
});

test('39 what is no loop is none, however often it happens', async () => {
  for (let count = 0; count < 2 * LIMITS.fetchDepthMax; count++) expect(await app.get('/once')).toBe('appengine; app=hello');
});
