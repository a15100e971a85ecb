// The app of the router's bench, the same process behind every proxy, on a unix socket: one small answer, or 1 MB for
// `/large`, after reading what is sent.
import { createServer } from 'node:http';

const [socketPath = ''] = process.argv.slice(2);
const small = Buffer.from('Hello from the upstream of this bench.\n');
const large = Buffer.alloc(1024 * 1024, 98);

const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  const body = request.url === '/large' ? large : small;
  request.resume();
  request.on('end', () => {
    response.writeHead(200, ['Content-Type', 'text/plain; charset=utf-8', 'Content-Length', String(body.length), 'X-Powered-By', 'bench']);
    response.end(body);
  });
});
server.listen(socketPath, () => process.send?.({ port: 0 }));
