// Loaded before the app by NODE_OPTIONS: makes `listen($PORT)` listen on the instance's unix socket, so that an unmodified
// app needs no network. Every other listen stays as it is. Plain CommonJS with two built-in modules: it runs at each start.
'use strict';
const { existsSync, readFileSync, unlinkSync } = require('node:fs');
const net = require('node:net');

const path = process.env.APPENGINE_LISTEN;
const port = Number(process.env.APPENGINE_LISTEN_PORT);

if (path && port > 0) {
  const { listen, address } = net.Server.prototype;

  net.Server.prototype.listen = function (...args) {
    const wanted = wantedAddress(args);
    if (wanted === undefined || wanted.port !== port) return listen.apply(this, args);
    if (existsSync(path) && !isBound()) unlinkSync(path);
    const answer = tcpAddress(wanted.host);
    // Frameworks print and probe the address; a path where they expect a port makes them fail.
    this.address = function () {
      const real = address.call(this);
      if (real !== path) return real;
      return this.listening ? { ...answer } : null;
    };
    this.prependListener('connection', nameClient);
    const callback = args.findLast((arg) => typeof arg === 'function');
    const { backlog, exclusive, signal } = wanted;
    const options = { path };
    if (backlog !== undefined) options.backlog = backlog;
    if (exclusive !== undefined) options.exclusive = exclusive;
    if (signal !== undefined) options.signal = signal;
    return callback === undefined ? listen.call(this, options) : listen.call(this, options, callback);
  };
}

/** What listen's arguments ask for; undefined when that is not a TCP port. The forms are those of Node's documentation. */
function wantedAddress([first, ...rest]) {
  if (typeof first === 'object' && first !== null) {
    const isPort = first.port !== undefined && first.path === undefined && first.fd === undefined && first._handle === undefined;
    return isPort && !('handle' in first) ? { ...first, port: Number(first.port) } : undefined;
  }
  const isPort = typeof first === 'number' || (typeof first === 'string' && first.trim() !== '' && Number(first) >= 0);
  if (!isPort) return undefined;
  return {
    port: Number(first),
    host: rest.find((arg) => typeof arg === 'string'),
    backlog: rest.find((arg) => typeof arg === 'number'),
  };
}

function tcpAddress(host) {
  if (!host || host === '::') return { address: '::', family: 'IPv6', port };
  if (host === 'localhost') return { address: '127.0.0.1', family: 'IPv4', port };
  return { address: host, family: host.includes(':') ? 'IPv6' : 'IPv4', port };
}

/** The router is the only client, and on App Engine it is on the same machine; X-Forwarded-For names the real one. */
function nameClient(socket) {
  Object.defineProperty(socket, 'remoteAddress', { value: '127.0.0.1', configurable: true });
  Object.defineProperty(socket, 'remoteFamily', { value: 'IPv4', configurable: true });
}

/** Whether a living process has the socket; the file of one that was killed stays and would be in the way, unlike a port. */
function isBound() {
  try {
    return readFileSync('/proc/net/unix', 'utf8').includes(` ${path}\n`);
  } catch {
    return true;
  }
}
