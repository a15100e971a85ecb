const express = require('express');

const app = express();
app.use(express.json());
app.get('/', (request, response) => response.send(`express ${process.version} ${request.query.name ?? ''}`));
app.post('/echo', (request, response) => response.status(201).json({ got: request.body }));
app.get('/stream', async (_request, response) => {
  for (const part of ['one', 'two', 'three']) {
    response.write(`${part}\n`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  response.end();
});
app.get('/boom', () => {
  throw new Error('boom');
});

app.listen(process.env.PORT || 8080);
