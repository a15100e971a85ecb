// An unmodified app in a sandbox without a network, and its way out: real instances, the real gateway, real targets.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { InstanceGateway } from '../../runtime/api/instance-gateway.ts';
import { MemoryUsageMeter, OPEN_GATE } from '../../runtime/api/usage-meter.ts';
import { EGRESS_SOCKET } from '../../runtime/host/instance.ts';
import { FetchBroker } from '../../runtime/services/url-fetch/broker.ts';
import { EgressServer } from '../../runtime/services/url-fetch/egress-server.ts';
import { SAMPLE_CERTIFICATE } from '../../runtime/services/url-fetch/sample-certificate.ts';
import { sampleResolver, sampleRules, SampleTargets } from '../../runtime/services/url-fetch/sample-targets.ts';
import { systemTimers } from '../../sdk/support/clock.ts';
import { CloseStack } from '../../sdk/support/close-stack.ts';
import { MemoryLog } from '../../sdk/support/log.ts';
import { HostFixture } from './host-fixture.ts';
import { bubblewrapSkip } from './sandbox-skip.ts';

const skip = await bubblewrapSkip();
const kinds: [string, 'bubblewrap' | 'process', boolean][] = [
  [`bubblewrap${skip === undefined ? '' : ` (SKIPPED: ${skip})`}`, 'bubblewrap', skip === undefined],
  ['process', 'process', true],
];

describe.each(kinds)('egress of an instance: %s', (_name, kind, available) => {
  const closing = new CloseStack();
  let fixture: HostFixture;
  let http: number;
  let https: number;
  beforeAll(async () => {
    if (!available) return;
    fixture = await HostFixture.open(kind);
    closing.defer(() => fixture.close());
    const targets = new SampleTargets();
    closing.defer(() => targets.close());
    http = await targets.http((request, response) => response.end(`http ${String(request.headers['x-appengine-inbound-appid'])}`));
    https = await targets.https((request, response) => response.end(`https ${request.url ?? ''}`));
    const meter = new MemoryUsageMeter();
    const rules = sampleRules(['127.0.0.1/32']);
    const broker = new FetchBroker(sampleResolver, rules, meter, systemTimers, { authorities: [SAMPLE_CERTIFICATE] });
    closing.defer(() => broker.close());
    const gateway = new InstanceGateway(fixture.host, new MemoryLog(), {
      socketName: EGRESS_SOCKET,
      listenerOf: (instance, path) => new EgressServer(path, instance, broker, OPEN_GATE, meter),
    });
    gateway.start();
    closing.defer(() => gateway.close());
  });
  afterAll(() => closing.close());

  test.runIf(available)('fetch and http reach the outside, and nothing but the outside', async () => {
    const app = await fixture.start(
      `const get = (url) => new Promise((resolve, reject) => require('https').get(url, (r) => { let text = ''; r.on('data', (c) => text += c).on('end', () => resolve(text)); }).on('error', reject));
       serve(async (url) => url === '/fetch' ? (await fetch('http://plain.test:${http}/')).text()
         : url === '/https' ? get('https://secure.test:${https}/a?b')
         : (await fetch('http://169.254.169.254/').catch((error) => error.cause.code)));`,
    );
    await app.reached('ready');
    expect(await app.get('/fetch')).toBe('http hello');
    expect(await app.get('/https')).toBe('https /a?b');
    expect(await app.get('/metadata')).toBe('FETCH_ADDRESS_REFUSED');
  });
});
