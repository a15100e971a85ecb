// How an unmodified app reaches the outside: http and https requests, and those of fetch, go in absolute form to the
// instance's egress.sock, where the platform checks and makes them. preload.cjs loads this on the first such request.
// Requests to this machine itself (loopback, a socket's path) stay as they are. Plain CommonJS, run inside the app.
'use strict';
const http = require('node:http');
const net = require('node:net');
const { join } = require('node:path');

const socketPath = join(process.env.APPENGINE_SOCKETS, 'egress.sock');
const ERROR_HEADER = 'x-appengine-fetch-error';
const REASON_HEADER = 'x-appengine-fetch-reason';
/** The platform may be starting anew behind the socket: it is back within a second or two. */
const CONNECT_MS_MAX = 5_000;
const RETRY_MS = 50;
const GLOBAL_DISPATCHER = Symbol.for('undici.globalDispatcher.1');

const addRequest = http.Agent.prototype.addRequest;
const destroy = http.Agent.prototype.destroy;
/** An app's agent → ours that does the same over the socket: keep-alive and limits stay what the app asked for. */
const twins = new WeakMap();

http.Agent.prototype.destroy = function () {
  twins.get(this)?.destroy();
  destroy.call(this);
};

class EgressAgent extends http.Agent {
  /** Its requests pass the preload as all do, and must not come here again. */
  isEgress = true;

  /** Until it is connected something stands for the socket, or more than `maxSockets` would be made meanwhile. */
  createConnection(options, callback) {
    const { timeout, _agentKey: name } = options;
    const place = { writable: true, destroy: () => undefined };
    this.sockets[name]?.push(place);
    this.totalSocketCount++;
    connectEgress((error, socket) => {
      if (error) {
        callback(error);
        // Whoever waits for a socket of this agent has the next try.
        this.removeSocket(place, options);
        return;
      }
      const places = this.sockets[name];
      if (places?.includes(place)) places.splice(places.indexOf(place), 1);
      this.totalSocketCount--;
      if (timeout) socket.setTimeout(timeout);
      callback(null, socket);
    });
  }
}

/** In the place of `agent.addRequest(request, options)`: see `staysHere` for when. */
exports.addRequest = (agent, request, options) => {
  const { host = 'localhost', port } = options;
  const { protocol } = request;
  const name = host.includes(':') ? `[${host}]` : host;
  const isDefault = Number(port) === (protocol === 'https:' ? 443 : 80);
  rewriteHead(request, `${protocol}//${name}${isDefault || !port ? '' : `:${port}`}`);
  failOnRefusal(request);
  // Those that wait for the handshake, to stop a clock, would wait for ever.
  if (protocol === 'https:') request.once('socket', (socket) => process.nextTick(() => socket.emit('secureConnect')));
  let twin = twins.get(agent);
  if (twin === undefined) {
    const { keepAlive, keepAliveMsecs, maxSockets, maxTotalSockets, maxFreeSockets, scheduling, options: own = {} } = agent;
    const { timeout } = own;
    twin = new EgressAgent({ keepAlive, keepAliveMsecs, maxSockets, maxTotalSockets, maxFreeSockets, scheduling, timeout });
    twins.set(agent, twin);
  }
  // Host and port stay: limits of an agent count by them.
  const { timeout } = options;
  addRequest.call(twin, request, { host, port, protocol, ...(timeout === undefined ? {} : { timeout }) });
};

/** The first line in absolute form, and CDN-Loop, also where the head was written already (Expect, headers as an array). */
function rewriteHead(request, origin) {
  const before = request.path;
  request.path = origin + (before.startsWith('/') ? before : `/${before}`);
  const loop = request.hasHeader('cdn-loop') ? undefined : currentLoop();
  const header = request._header;
  if (!header) {
    if (loop !== undefined) request.setHeader('CDN-Loop', loop);
    return;
  }
  const lines = header.slice(request.method.length + 1 + before.length, -2);
  const after = `${request.method} ${request.path}${lines}${loop === undefined ? '' : `CDN-Loop: ${loop}\r\n`}\r\n`;
  request._header = after;
  const first = request.outputData?.[0];
  if (first && typeof first.data === 'string' && first.data.startsWith(header)) {
    first.data = after + first.data.slice(header.length);
    request.outputSize += after.length - header.length;
  }
}

/** What the request that is being served came through: see preload.cjs. */
function currentLoop() {
  return globalThis[Symbol.for('appengine.fetchLoop')]?.();
}

/** A refusal of the platform is an error with its code, not an answer. */
function failOnRefusal(request) {
  const { emit } = request;
  request.emit = function (event, ...args) {
    const code = event === 'response' ? args[0].headers[ERROR_HEADER] : undefined;
    if (code === undefined) return emit.call(this, event, ...args);
    args[0].resume();
    this.destroy(refusal(code, args[0].headers[REASON_HEADER]));
    return true;
  };
}

function refusal(code, reason = '') {
  let message = code;
  try {
    message = decodeURIComponent(reason) || code;
  } catch {}
  return Object.assign(new Error(message), { code, name: 'PlatformError' });
}

function connectEgress(callback, endMs = Date.now() + CONNECT_MS_MAX) {
  const socket = net.connect(socketPath);
  const onError = (error) => {
    const mayRetry = (error.code === 'ECONNREFUSED' || error.code === 'ENOENT') && Date.now() < endMs;
    if (mayRetry) setTimeout(connectEgress, RETRY_MS, callback, endMs);
    else callback(error);
  };
  socket.once('error', onError);
  socket.once('connect', () => {
    socket.removeListener('error', onError);
    callback(null, socket);
  });
}

/** Makes the dispatcher of fetch go out here. Called before each fetch: an app may set another Agent at any time. */
exports.install = () => {
  // The first use of any of fetch's classes loads undici, which then sets its global dispatcher.
  if (Object.getOwnPropertyDescriptor(globalThis, GLOBAL_DISPATCHER)?.value === undefined) void globalThis.Response;
  const current = globalThis[GLOBAL_DISPATCHER];
  // Only a plain agent is replaced: a mock, or a proxy that the app chose, is meant as it is.
  if (current?.constructor.name === 'Agent') globalThis[GLOBAL_DISPATCHER] = egressDispatcher(current);
};

/** What undici calls a dispatcher, before the app's own: only requests that stay here go to that. */
function egressDispatcher(direct) {
  const Agent = direct.constructor;
  const Dispatcher = Object.getPrototypeOf(Object.getPrototypeOf(Agent));
  const outside = new Agent({ connect: (_options, callback) => connectEgress(callback) });
  class EgressDispatcher extends Dispatcher {
    dispatch(options, handler) {
      const { origin, hostname } = new URL(options.origin);
      if (exports.isLoopback(hostname)) return direct.dispatch(options, handler);
      const headers = withLoop(options.headers);
      return outside.dispatch({ ...options, headers, origin: 'http://egress', path: origin + options.path }, failing(handler));
    }

    close(...args) {
      return both('close', args);
    }

    destroy(...args) {
      return both('destroy', args);
    }
  }
  const both = (verb, args) => {
    const ended = Promise.all([direct[verb](), outside[verb]()]).then(() => undefined);
    const callback = args.find((arg) => typeof arg === 'function');
    return callback === undefined ? ended : void ended.then(callback, callback);
  };
  return new EgressDispatcher();
}

/** In each of the forms that undici takes: names and values in turn, pairs, or an object. */
function withLoop(headers) {
  const loop = currentLoop();
  if (loop === undefined) return headers;
  if (Array.isArray(headers)) return [...headers, 'CDN-Loop', loop];
  if (typeof headers?.[Symbol.iterator] === 'function') return [...headers, ['CDN-Loop', loop]].flat();
  return { 'CDN-Loop': loop, ...headers };
}

/** A handler of undici, of either generation, that turns a refusal into an error. */
function failing(handler) {
  const wrapped = {};
  for (const name of HANDLER_METHODS) {
    if (typeof handler[name] === 'function') wrapped[name] = (...args) => handler[name](...args);
  }
  let abort;
  if (wrapped.onConnect) {
    wrapped.onConnect = (stop, context) => {
      abort = stop;
      return handler.onConnect(stop, context);
    };
  }
  if (wrapped.onHeaders) {
    wrapped.onHeaders = (status, raw, ...rest) => {
      const code = status < 400 ? undefined : rawHeader(raw, ERROR_HEADER);
      if (code === undefined) return handler.onHeaders(status, raw, ...rest);
      abort(refusal(code, rawHeader(raw, REASON_HEADER)));
      return false;
    };
  }
  if (wrapped.onResponseStart) {
    wrapped.onResponseStart = (controller, status, headers, ...rest) => {
      const code = headers[ERROR_HEADER];
      if (code === undefined) return handler.onResponseStart(controller, status, headers, ...rest);
      controller.abort(refusal(code, headers[REASON_HEADER]));
    };
  }
  return wrapped;
}

const HANDLER_METHODS = [
  ...['onConnect', 'onUpgrade', 'onHeaders', 'onData', 'onComplete', 'onError', 'onBodySent', 'onRequestSent', 'onResponseStarted'],
  ...['onRequestStart', 'onRequestUpgrade', 'onResponseStart', 'onResponseData', 'onResponseEnd', 'onResponseError'],
];

function rawHeader(raw, name) {
  for (let index = 0; index + 1 < raw.length; index += 2) {
    if (String(raw[index]).toLowerCase() === name) return String(raw[index + 1]);
  }
  return undefined;
}

exports.isLoopback = (host) => {
  const name = host.replace(/^\[|\]$/g, '').toLowerCase();
  return name === 'localhost' || name === '::1' || name === '0.0.0.0' || name === '::' || /^127\.\d+\.\d+\.\d+$/.test(name);
};
