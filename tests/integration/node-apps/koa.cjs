const Koa = require('koa');
const { Readable } = require('node:stream');

const app = new Koa();
app.use(async (context) => {
  switch (`${context.method} ${context.path}`) {
    case 'GET /':
      context.body = `koa ${process.version} ${context.query.name ?? ''}`;
      break;
    case 'POST /echo': {
      const chunks = [];
      for await (const chunk of context.req) chunks.push(chunk);
      context.status = 201;
      context.body = { got: JSON.parse(Buffer.concat(chunks).toString()) };
      break;
    }
    case 'GET /stream':
      context.type = 'text/plain';
      context.body = Readable.from(['one\n', 'two\n', 'three\n']);
      break;
    case 'GET /boom':
      throw new Error('boom');
  }
});
app.listen(process.env.PORT);
