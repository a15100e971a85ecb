const http = require('node:http');
const { pipeline } = require('node:stream');

const server = http.createServer(async (request, response) => {
  const url = new URL(request.url, `http://${request.headers.host}`);
  switch (`${request.method} ${url.pathname}`) {
    case 'GET /':
      return response.end(`plain ${process.version} ${url.searchParams.get('name') ?? ''}`);
    case 'POST /echo': {
      const chunks = [];
      for await (const chunk of request) chunks.push(chunk);
      response.writeHead(201, { 'content-type': 'application/json' });
      return response.end(JSON.stringify({ got: JSON.parse(Buffer.concat(chunks)) }));
    }
    case 'GET /stream':
      return pipeline(['one\n', 'two\n', 'three\n'], response, () => undefined);
    case 'GET /boom':
      response.statusCode = 500;
      return response.end('boom');
    default:
      response.statusCode = 404;
      return response.end();
  }
});
server.listen({ port: process.env.PORT, host: '0.0.0.0' }, () => console.log('listening on', server.address().port));
