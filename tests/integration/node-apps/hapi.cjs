const Hapi = require('@hapi/hapi');
const { PassThrough } = require('node:stream');

const init = async () => {
  const server = Hapi.server({ port: process.env.PORT, host: '0.0.0.0' });
  server.route([
    { method: 'GET', path: '/', handler: (request) => `hapi ${process.version} ${request.query.name ?? ''}` },
    { method: 'POST', path: '/echo', handler: (request, h) => h.response({ got: request.payload }).code(201) },
    {
      method: 'GET',
      path: '/stream',
      handler: (_request, h) => {
        const stream = new PassThrough();
        for (const part of ['one', 'two', 'three']) stream.write(`${part}\n`);
        stream.end();
        return h.response(stream).type('text/plain');
      },
    },
    {
      method: 'GET',
      path: '/boom',
      handler: () => {
        throw new Error('boom');
      },
    },
  ]);
  await server.start();
};

init();
