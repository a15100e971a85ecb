// Sends a bounded number of requests and reports how it went.
import autocannon, { type Options, type Result } from 'autocannon';
import { type LoadOrder } from './load-order.ts';

const { url, amount, connections, bodyBytes } = JSON.parse(process.argv[2] ?? '{}') as LoadOrder;
const options: Options = {
  url,
  amount,
  connections,
  ...(bodyBytes > 0 ? { method: 'POST', body: Buffer.alloc(bodyBytes, 97) } : {}),
  headers: {
    host: 'hello.localhost',
    'user-agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
    accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8',
    'accept-language': 'en-US,en;q=0.5',
    'accept-encoding': 'gzip, deflate, br, zstd',
    cookie: 'session=0123456789abcdef0123456789abcdef',
  },
};

// Autocannon itself looks at the clock once a second.
const startMs = performance.now();
let lastMs = startMs;
const result = await new Promise<Result>((resolve, reject) => {
  const instance = autocannon(options, (error: Error | null, found) => {
    if (error) reject(error);
    else resolve(found);
  });
  instance.on('response', () => (lastMs = performance.now()));
});
process.send?.({
  ok: result['2xx'],
  bad: result.non2xx + result.errors,
  perSecond: result['2xx'] / ((lastMs - startMs) / 1_000),
  p50Ms: result.latency.p50,
  p99Ms: result.latency.p99,
});
