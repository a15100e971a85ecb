import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { streamText } from 'hono/streaming';

const app = new Hono();
app.get('/', (context) => context.text(`hono ${process.version} ${context.req.query('name') ?? ''}`));
app.post('/echo', async (context) => context.json({ got: await context.req.json() }, 201));
app.get('/stream', (context) =>
  streamText(context, async (stream) => {
    for (const part of ['one', 'two', 'three']) await stream.writeln(part);
  }),
);
app.get('/boom', () => {
  throw new Error('boom');
});

serve({ fetch: app.fetch, port: Number(process.env.PORT) });
