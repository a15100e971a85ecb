import Fastify from 'fastify';
import { Readable } from 'node:stream';

const fastify = Fastify({ logger: true });
fastify.get('/', async (request) => `fastify ${process.version} ${request.query.name ?? ''}`);
fastify.post('/echo', async (request, reply) => reply.code(201).send({ got: request.body }));
fastify.get('/stream', (_request, reply) => reply.type('text/plain').send(Readable.from(['one\n', 'two\n', 'three\n'])));
fastify.get('/boom', async () => {
  throw new Error('boom');
});

await fastify.listen({ port: Number(process.env.PORT), host: '0.0.0.0' });
