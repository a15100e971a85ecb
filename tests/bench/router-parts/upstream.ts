// The app of the router's bench: one small answer on a unix socket, the same process behind every proxy.
import { createServer } from 'node:http';

const [socketPath = ''] = process.argv.slice(2);
const body = Buffer.from('Hello from the upstream of this bench.\n');

const server = createServer({ keepAliveTimeout: 60_000 }, (_request, response) => {
  response.writeHead(200, ['Content-Type', 'text/plain; charset=utf-8', 'Content-Length', String(body.length), 'X-Powered-By', 'bench']);
  response.end(body);
});
server.listen(socketPath, () => process.send?.({ port: 0 }));
