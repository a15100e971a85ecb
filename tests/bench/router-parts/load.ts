// Sends a bounded number of requests and reports how it went.
import autocannon from 'autocannon';
import { type LoadOrder } from './load-order.ts';

const { url, amount, connections, bodyBytes } = JSON.parse(process.argv[2] ?? '{}') as LoadOrder;
const result = await autocannon({
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
});
process.send?.({
  ok: result['2xx'],
  bad: result.non2xx + result.errors,
  perSecond: result['2xx'] / ((result.finish.getTime() - result.start.getTime()) / 1_000),
  p50Ms: result.latency.p50,
  p99Ms: result.latency.p99,
});
