import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocketServer } from 'ws';

const began = Date.now();
await sleep(700);
const server = createServer((_request, response) => response.end(`late by ${Date.now() - began >= 700}`));
new WebSocketServer({ server }).on('connection', (socket) => socket.on('message', (message) => socket.send(`back: ${message}`)));
server.listen(process.env.PORT);
