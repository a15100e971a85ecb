// Loaded before the app by NODE_OPTIONS: makes `listen($PORT)` listen on the instance's unix socket, so that an unmodified
// app needs no network. Every other listen stays as it is. And makes requests to the outside go by the instance's
// egress.sock, connections to $DATASTORE_EMULATOR_HOST by its datastore-v1.sock: see egress.cjs and datastore-connection.cjs,
// which are loaded with the first of them. Plain CommonJS with built-in modules that every app loads anyway: it runs at each
// start.
'use strict';
const { closeSync, existsSync, openSync, readFileSync, unlinkSync } = require('node:fs');
const http = require('node:http');
const net = require('node:net');

const path = process.env.APPENGINE_LISTEN;
const port = Number(process.env.APPENGINE_LISTEN_PORT);
const datastorePort = Number(process.env.APPENGINE_DATASTORE_PORT);
const requestLines = process.env.APPENGINE_REQUEST_LINES === '0' ? undefined : require('./request-lines.cjs');

if (path && port > 0) {
  markStart();
  requestLines?.install();
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
    followLoops(this);
    if (requestLines !== undefined) followRequests(this);
    const callback = args.findLast((arg) => typeof arg === 'function');
    const { backlog, exclusive, signal } = wanted;
    const options = { path };
    if (backlog !== undefined) options.backlog = backlog;
    if (exclusive !== undefined) options.exclusive = exclusive;
    if (signal !== undefined) options.signal = signal;
    return callback === undefined ? listen.call(this, options) : listen.call(this, options, callback);
  };
}

if (process.env.APPENGINE_SOCKETS) {
  offerLoopback();

  // Each request passes here, whichever way it was made: http or https, with an agent or without, under its library.
  const { addRequest } = http.Agent.prototype;
  http.Agent.prototype.addRequest = function (request, options, ...rest) {
    if (staysHere(options, this)) return addRequest.call(this, request, options, ...rest);
    return require('./egress.cjs').addRequest(this, request, options);
  };

  const { fetch } = globalThis;
  globalThis.fetch = function (...args) {
    require('./egress.cjs').install();
    return fetch.apply(this, args);
  };
  Object.defineProperties(globalThis.fetch, { name: { value: 'fetch' }, length: { value: fetch.length } });
  // undici, Node's own or an app's, looks here when it is loaded, finds nothing and defines its agent: ours goes before it.
  Object.defineProperty(globalThis, Symbol.for('undici.globalDispatcher.1'), {
    configurable: true,
    get() {
      queueMicrotask(() => require('./egress.cjs').install());
      return undefined;
    },
  });
}

if (process.env.APPENGINE_SOCKETS && datastorePort > 0) {
  // Each connection passes here, whichever library makes it, over TCP by the port's number.
  const { connect } = net.Socket.prototype;
  net.Socket.prototype.connect = function (...args) {
    // net.connect hands over what it has read from its arguments.
    const [first, second] = Array.isArray(args[0]) ? args[0] : args;
    const { port: wanted = first, host = second, path: pipe } = typeof first === 'object' && first !== null ? first : {};
    if (Number(wanted) !== datastorePort || pipe) return connect.apply(this, args);
    return require('./datastore-connection.cjs').connect(this, connect, args, host);
  };
}

/** For the host, which times the parts of a start. */
function markStart() {
  try {
    closeSync(openSync(path.slice(0, path.lastIndexOf('/') + 1) + 'runtime', 'wx'));
  } catch {
    // It is there: this is a process that the app has started.
  }
}

/** The sandbox refuses netlink, by which Node lists interfaces; frameworks ask for them at their start, to print addresses. */
function offerLoopback() {
  const os = require('node:os');
  const { networkInterfaces } = os;
  os.networkInterfaces = function () {
    try {
      return networkInterfaces();
    } catch (error) {
      if (error.code !== 'ERR_SYSTEM_ERROR') throw error;
      const lo = {
        address: '127.0.0.1',
        netmask: '255.0.0.0',
        family: 'IPv4',
        mac: '00:00:00:00:00:00',
        internal: true,
        cidr: '127.0.0.1/8',
      };
      return { lo: [lo] };
    }
  };
  require('node:module').syncBuiltinESMExports();
}

/** What is printed for a request is marked with it. */
function followRequests(server) {
  const { emit } = server;
  server.emit = function (event, request, ...rest) {
    if (event !== 'request' && event !== 'upgrade' && event !== 'checkContinue') return emit.call(this, event, request, ...rest);
    return requestLines.within(request, () => emit.call(this, event, request, ...rest));
  };
}

/** Fetches made for a request that came by a fetch go on with its CDN-Loop, so that an app that fetches itself is told. */
function followLoops(server) {
  const { emit } = server;
  server.emit = function (event, request, ...rest) {
    const loop = event === 'request' ? request.headers['cdn-loop'] : undefined;
    if (loop === undefined) return emit.call(this, event, request, ...rest);
    return loops().run(loop, () => emit.call(this, event, request, ...rest));
  };
}

let storage;
/** Made with the first such request: most apps never see one. */
function loops() {
  if (storage === undefined) {
    const { AsyncLocalStorage } = require('node:async_hooks');
    storage = new AsyncLocalStorage();
    globalThis[Symbol.for('appengine.fetchLoop')] = () => storage.getStore();
  }
  return storage;
}

/** A socket by its path and the loopback are inside. */
function staysHere({ socketPath, host }, agent) {
  return Boolean(socketPath ?? agent.options?.socketPath) || agent.isEgress || require('./egress.cjs').isLoopback(host ?? 'localhost');
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
