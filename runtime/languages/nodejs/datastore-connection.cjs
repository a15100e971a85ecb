// How Google's Datastore clients reach the app's data from a program of Node: a connection to the port of
// $DATASTORE_EMULATOR_HOST on the loopback becomes one to the instance's datastore-v1.sock. Nothing listens on that port.
// preload.cjs loads this on the first such connection. Plain CommonJS, run inside the app.
'use strict';
const { join } = require('node:path');
const { isLoopback } = require('./egress.cjs');

const path = join(process.env.APPENGINE_SOCKETS, 'datastore-v1.sock');
const port = Number(process.env.APPENGINE_DATASTORE_PORT);
/** The platform may be starting anew behind the socket: it is back within a second or two. */
const CONNECT_MS_MAX = 5_000;
const RETRY_MS = 50;
const MAY_RETRY = new Set(['ECONNREFUSED', 'ENOENT', 'EAGAIN']);

/** In the place of `connect.apply(socket, args)`, where `args` name the port, and `host`, if any. */
exports.connect = (socket, connect, args, host) => {
  if (!isLoopback(typeof host === 'string' && host !== '' ? host : 'localhost')) return connect.apply(socket, args);
  const [callback] = (Array.isArray(args[0]) ? args[0] : args).filter((arg) => typeof arg === 'function');
  retryQuietly(socket, () => connect.call(socket, { path }));
  socket.prependOnceListener('connect', () => nameEnds(socket));
  return callback === undefined ? connect.call(socket, { path }) : connect.call(socket, { path }, callback);
};

/** A failed attempt reaches a socket as its destruction: until the time is over, that becomes the next attempt. */
function retryQuietly(socket, again) {
  const endMs = Date.now() + CONNECT_MS_MAX;
  const { destroy } = socket;
  const restore = () => {
    delete socket.destroy;
  };
  socket.once('connect', restore);
  socket.destroy = function (error, ...rest) {
    if (error?.syscall === 'connect' && MAY_RETRY.has(error.code) && Date.now() < endMs) {
      // What is written meanwhile waits, as it does for any connection that is being made. The handle has had its attempt.
      this.connecting = true;
      this._handle?.close();
      this._handle = null;
      setTimeout(() => this.destroyed || again(), RETRY_MS);
      return this;
    }
    restore();
    return destroy.call(this, error, ...rest);
  };
}

/** Libraries look at the ends of a TCP connection; a socket's path has none. */
function nameEnds(socket) {
  const [address, family] = ['127.0.0.1', 'IPv4'];
  const remote = { remoteAddress: address, remoteFamily: family, remotePort: port };
  const local = { localAddress: address, localFamily: family, localPort: 0, address: () => ({ address, family, port: 0 }) };
  for (const [name, value] of Object.entries({ ...remote, ...local })) Object.defineProperty(socket, name, { value, configurable: true });
}
