// The page's side: one connection that comes back by itself, and no message twice.
const RETRY_MS_MIN = 500;
const RETRY_MS_MAX = 15_000;
const MESSAGES_SHOWN = 200;

const log = document.querySelector('#log');
const list = document.querySelector('#messages');
const state = document.querySelector('#state');
const problem = document.querySelector('#problem');
const form = document.querySelector('#say');
const button = form.querySelector('button');
const shown = new Set();
let socket;
let retryMs = RETRY_MS_MIN;

form.author.value = localStorage.getItem('chat-author') ?? '';
form.addEventListener('submit', (event) => {
  event.preventDefault();
  const text = form.text.value.trim();
  if (text === '' || socket?.readyState !== WebSocket.OPEN) return;
  localStorage.setItem('chat-author', form.author.value.trim());
  socket.send(JSON.stringify({ type: 'say', author: form.author.value, text }));
  form.text.value = '';
  form.text.focus();
  say('');
});

connect();

function connect() {
  const { protocol, host } = location;
  socket = new WebSocket(`${protocol === 'https:' ? 'wss:' : 'ws:'}//${host}/chat`);
  socket.addEventListener('open', () => {
    retryMs = RETRY_MS_MIN;
    show('Connected', true);
  });
  socket.addEventListener('message', ({ data }) => receive(JSON.parse(data)));
  socket.addEventListener('close', () => {
    show('Connecting again …', false);
    // Not all at the same time after a server went away.
    setTimeout(connect, retryMs * (0.5 + Math.random()));
    retryMs = Math.min(RETRY_MS_MAX, retryMs * 2);
  });
}

function receive({ type, message, messages, text }) {
  if (type === 'problem') say(text);
  else {
    const isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
    for (const each of messages ?? [message]) add(each);
    if (isAtEnd) log.scrollTop = log.scrollHeight;
  }
}

function add({ id, author, text, at }) {
  if (shown.has(id)) return;
  shown.add(id);
  const item = document.createElement('li');
  const head = document.createElement('p');
  const name = document.createElement('b');
  const time = document.createElement('time');
  const body = document.createElement('p');
  name.textContent = author;
  time.dateTime = at;
  time.textContent = new Date(at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
  head.append(name, ' ', time);
  body.className = 'text';
  body.textContent = text;
  item.append(head, body);
  list.append(item);
  while (list.children.length > MESSAGES_SHOWN) list.firstElementChild.remove();
}

function show(text, isOpen) {
  state.textContent = text;
  state.classList.toggle('open', isOpen);
  button.disabled = !isOpen;
}

function say(text) {
  problem.textContent = text;
  problem.hidden = text === '';
}
