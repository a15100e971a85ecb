// The chat: WebSockets on an ordinary http server. 'appengine' is provided by the platform and needs no installing.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { WebSocketServer } from 'ws';
import { Room } from './room.js';

const PAGE = readFileSync(new URL('page.html', import.meta.url));
const HEADERS = {
  'Content-Type': 'text/html; charset=utf-8',
  'Cache-Control': 'no-cache',
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
};

const MESSAGE_BYTES_MAX = 4096;
const AUTHOR_CHARACTERS_MAX = 40;
const TEXT_CHARACTERS_MAX = 500;
const HEARTBEAT_MS = 25_000;
const POLL_MS = 500;
/** A client may write this many messages within the window. */
const MESSAGES_MAX = 8;
const WINDOW_MS = 10_000;
/** What a client has not read; beyond, it is cut off. */
const UNSENT_BYTES_MAX = 1024 * 1024;
const COMING_BACK = 1012;

const server = createServer((request, response) => {
  const { pathname } = new URL(request.url, 'http://chat');
  if (pathname !== '/') {
    response.writeHead(404, { 'Content-Type': 'text/plain; charset=utf-8' }).end('There is nothing here.\n');
  } else if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.writeHead(405, { Allow: 'GET, HEAD' }).end();
  } else response.writeHead(200, HEADERS).end(PAGE);
});

const sockets = new WebSocketServer({ server, path: '/chat', maxPayload: MESSAGE_BYTES_MAX, verifyClient: isFromOwnPage });

const room = new Room((message) => {
  for (const socket of sockets.clients) send(socket, { type: 'message', message });
});

sockets.on('connection', (socket) => {
  const sentAt = [];
  socket.isAlive = true;
  socket.on('pong', () => (socket.isAlive = true));
  socket.on('error', () => socket.terminate());
  socket.on('message', (data, isBinary) => {
    socket.isAlive = true;
    receive(socket, sentAt, isBinary ? undefined : data.toString()).catch((error) => {
      console.error(error);
      send(socket, { type: 'problem', text: 'The message could not be stored just now. Please send it again.' });
    });
  });
  room
    .history()
    .then((messages) => send(socket, { type: 'history', messages }))
    .catch((error) => {
      console.error(error);
      socket.close(1011, 'the history cannot be read');
    });
});

/** A page of another site must not write in the name of whoever looks at it. Programs send no Origin. */
function isFromOwnPage({ origin, req }) {
  return origin === undefined || (URL.canParse(origin) && new URL(origin).host === req.headers.host);
}

async function receive(socket, sentAt, text) {
  const say = parse(text);
  if (say.problem) return send(socket, { type: 'problem', text: say.problem });
  const now = Date.now();
  while (sentAt.length > 0 && now - sentAt[0] > WINDOW_MS) sentAt.shift();
  if (sentAt.length >= MESSAGES_MAX) return send(socket, { type: 'problem', text: 'Not so fast: please wait a moment.' });
  sentAt.push(now);
  await room.post(say.author, say.text);
}

/** What a client may say: { type: 'say', author, text }, both texts within their limits. */
function parse(json) {
  let value;
  try {
    value = JSON.parse(json);
  } catch {
    return { problem: 'This is not a message.' };
  }
  if (value === null || typeof value !== 'object' || value.type !== 'say') return { problem: 'This is not a message.' };
  if (typeof value.author !== 'string' || typeof value.text !== 'string') return { problem: 'A message has an author and a text.' };
  const author = [...cleaned(value.author)].slice(0, AUTHOR_CHARACTERS_MAX).join('') || 'Somebody';
  const text = cleaned(value.text);
  if (text === '') return { problem: 'A message needs some text.' };
  if ([...text].length > TEXT_CHARACTERS_MAX) return { problem: `A message has at most ${TEXT_CHARACTERS_MAX} characters.` };
  return { author, text };
}

/** Without characters that are not seen but change how others are: controls, and marks that turn the direction of text. */
function cleaned(text) {
  return text
    .toWellFormed()
    .replace(/[\p{Cc}\u202a-\u202e\u2066-\u2069]+/gu, ' ')
    .trim();
}

function send(socket, value) {
  if (socket.readyState !== socket.OPEN) return;
  if (socket.bufferedAmount > UNSENT_BYTES_MAX) socket.terminate();
  else socket.send(JSON.stringify(value));
}

// A peer that vanished without a word is found by its silence; the ping also keeps routers from closing a quiet line.
setInterval(() => {
  for (const socket of sockets.clients) {
    if (!socket.isAlive) socket.terminate();
    else {
      socket.isAlive = false;
      socket.ping();
    }
  }
}, HEARTBEAT_MS);

setInterval(() => {
  if (sockets.clients.size > 0) room.poll().catch((error) => console.error(error));
}, POLL_MS);

process.on('SIGTERM', () => {
  for (const socket of sockets.clients) socket.close(COMING_BACK, 'this instance stops');
  server.close(() => process.exit(0));
});

await room.open();
server.listen(process.env.PORT, () => console.log('The chat is open.'));
