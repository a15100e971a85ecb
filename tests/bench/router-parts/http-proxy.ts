// The peer of the budget: http-proxy with a keep-alive agent, as most Node proxies are built, no features added.
import { Agent, createServer } from 'node:http';
import { type AddressInfo } from 'node:net';
import { createProxyServer } from 'http-proxy';

const [socketPath = ''] = process.argv.slice(2);
const proxy = createProxyServer({
  target: { socketPath, host: 'localhost', port: 80 },
  agent: new Agent({ keepAlive: true, maxSockets: Infinity, maxFreeSockets: 256 }),
});
proxy.on('error', (error) => {
  throw error;
});
const server = createServer((request, response) => proxy.web(request, response));
server.listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }));
