#!/usr/bin/env node
// The first process of an instance whose program is not Node: `forwarder COMMAND …` starts the command and carries bytes
// between the sockets of the instance and the loopback, which a program of any language can use.
//
//   app.sock → 127.0.0.1:$PORT        app.sock appears when the command listens there, so that ready means ready
//   127.0.0.1:EGRESS_PORT → egress.sock   before the command runs; $HTTP_PROXY and the like lead there
//   127.0.0.1:DATASTORE_PORT → datastore-v1.sock   likewise; $DATASTORE_EMULATOR_HOST leads there
//
// SIGTERM reaches the command, its exit becomes ours, and when this process ends the instance does: it is the sandbox's
// main process. forwarder.c does the same where there is a compiler, for a tenth of a start and of the memory; the suite
// tests/integration/forwarder.test.ts holds both. Where instances share a network (no sandbox), ports are picked here, and
// the command finds them where it would find the usual ones.
'use strict';
const { spawn } = require('node:child_process');
const { existsSync, linkSync, readFileSync, unlinkSync } = require('node:fs');
const net = require('node:net');
const { constants } = require('node:os');
const { join } = require('node:path');

const { APPENGINE_LISTEN: appSocket, APPENGINE_SOCKETS: sockets, PORT } = process.env;
const sharesNetwork = process.env.APPENGINE_SHARED_NETWORK !== undefined;
/** As often as a start may be prolonged by it; when the command takes long, less often. */
const LISTEN_MS = 2;
const LISTEN_SLOW_MS = 20;
const SLOW_AFTER_MS = 2_000;
/** Ports of the loopback that lead out of the instance, by the variable that names them → the platform's socket. */
const OUT = { APPENGINE_EGRESS_PORT: 'egress.sock', APPENGINE_DATASTORE_PORT: 'datastore-v1.sock' };
/** The platform may be starting anew behind those: it is back within a second or two. */
const CONNECT_MS_MAX = 5_000;
const RETRY_MS = 50;
const CONNECTIONS_MAX = 1_000;
const SHELLS = new Set(['sh', 'dash', 'bash', 'ash', 'busybox']);

async function main(command) {
  /** Where they are known to be → where they are. */
  const ports = new Map();
  for (const [variable, name] of Object.entries(OUT)) {
    const known = process.env[variable];
    if (known !== undefined) ports.set(known, await listenForOut(sharesNetwork ? 0 : Number(known), join(sockets, name)));
  }
  const appPort = sharesNetwork ? await freePort() : Number(PORT);
  const child = start(command, ports, appPort);
  child.once('error', (error) => {
    process.stderr.write(`${command[0]}: ${error.code === 'ENOENT' ? 'command not found' : error.message}\n`);
    process.exit(error.code === 'ENOENT' ? 127 : 126);
  });
  child.once('exit', (code, signal) => {
    if (signal === null) process.exit(code);
    for (const each of ['SIGTERM', 'SIGINT']) process.removeAllListeners(each);
    process.kill(process.pid, signal);
    // One that does not end this process, such as SIGCHLD, is told the way shells do.
    setTimeout(() => process.exit(128 + constants.signals[signal]), 100);
  });
  for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => mainProcesses(child.pid).forEach((pid) => kill(pid, signal)));
  waitForListener(appPort, Date.now());
}

function start([program, ...args], ports, appPort) {
  const own = { ...process.env };
  delete own.APPENGINE_SHARED_NETWORK;
  if (!sharesNetwork) return spawn(program, args, { stdio: 'inherit', env: own });
  // All at once: what one is moved to may be where another was.
  const known = new RegExp([...ports.keys()].join('|') || '(?!)', 'g');
  const moved = (text) => text.replace(known, (port) => ports.get(port));
  const environment = Object.fromEntries(Object.entries(own).map(([name, value]) => [name, moved(value)]));
  return spawn(program, args.map(moved), { stdio: 'inherit', env: { ...environment, PORT: String(appPort) } });
}

/** Programs that make app.sock themselves are left alone. */
function waitForListener(port, sinceMs) {
  if (existsSync(appSocket)) return;
  const again = () => setTimeout(waitForListener, Date.now() - sinceMs < SLOW_AFTER_MS ? LISTEN_MS : LISTEN_SLOW_MS, port, sinceMs);
  isListening(port, (found) => (found ? serveApp(port) : again()));
}

/**
 * It gets its name when connections are accepted: whoever sees it may connect. A link takes no name that is taken: the
 * program may have made its own socket in this moment.
 */
function serveApp(port) {
  const unnamed = `${appSocket}~`;
  const server = serve(unnamed, () => connectApp(port));
  server.once('listening', () => {
    try {
      linkSync(unnamed, appSocket);
      unlinkSync(unnamed);
    } catch (error) {
      server.close();
      if (error.code !== 'EEXIST') throw error;
    }
  });
}

/** By the kernel's own list: a connection made to find out would be one that the program has to serve. */
function isListening(port, done) {
  const tables = ['/proc/net/tcp', '/proc/net/tcp6'].map(readQuietly);
  if (tables.some((text) => text !== undefined)) done(tables.some((text) => text !== undefined && hasListener(text, port)));
  else {
    const probe = net.connect({ port, host: '127.0.0.1' });
    probe.once('connect', () => done(true, probe.destroy()));
    probe.once('error', () => done(false));
  }
}

/** A row: number, local address:port and the remote one in hex, state; 0A is LISTEN. */
function hasListener(table, port) {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  return new RegExp(`^ *\\d+: [0-9A-F]+:${hex} [0-9A-F]+:0000 0A `, 'm').test(table);
}

function listenForOut(port, path) {
  return new Promise((resolve, reject) => {
    const server = serve({ port, host: '127.0.0.1' }, () => connectOut(path));
    server.once('error', reject);
    server.once('listening', () => resolve(String(server.address().port)));
  });
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
    server.once('error', reject);
  });
}

/** Each connection to `address` goes on to what `connect` opens: bytes, ends of either half, and back-pressure. */
function serve(address, connect) {
  const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, async (near) => {
    near.on('error', () => undefined);
    let far;
    try {
      far = await connect();
    } catch {
      near.destroy();
      return;
    }
    if (near.destroyed) far.destroy();
    far.on('error', () => near.destroy());
    near.on('error', () => far.destroy());
    far.once('close', () => endWhenSent(near));
    near.once('close', () => endWhenSent(far));
    near.pipe(far);
    far.pipe(near);
    near.resume();
  });
  server.maxConnections = CONNECTIONS_MAX;
  return server.listen(address);
}

/** The other side can neither be told anything more nor say it; what it said is still to be passed on. */
function endWhenSent(socket) {
  if (socket.writableLength === 0) socket.destroy();
  else socket.once('finish', () => socket.destroy()).end();
}

/** By IPv4, or by IPv6 where the program listens on nothing else. */
let appHosts = ['127.0.0.1', '::1'];
async function connectApp(port) {
  const [first, second] = appHosts;
  try {
    return await connected({ port, host: first });
  } catch {
    const socket = await connected({ port, host: second });
    appHosts = [second, first];
    return socket;
  }
}

async function connectOut(path) {
  for (const endMs = Date.now() + CONNECT_MS_MAX; ;) {
    try {
      return await connected({ path });
    } catch (error) {
      if ((error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT' && error.code !== 'EAGAIN') || Date.now() > endMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

function connected(address) {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ ...address, allowHalfOpen: true, noDelay: true });
    socket.once('error', reject);
    socket.once('connect', () => resolve(socket.removeListener('error', reject)));
  });
}

/** A shell would neither pass a signal on nor wait for its command: what it waits for is asked itself. */
function mainProcesses(pid) {
  const isShell = SHELLS.has(readQuietly(`/proc/${pid}/comm`)?.trim());
  const children = isShell ? (readQuietly(`/proc/${pid}/task/${pid}/children`) ?? '').split(' ').map(Number).filter(Boolean) : [];
  return children.length === 0 ? [pid] : children.flatMap(mainProcesses);
}

function kill(pid, signal) {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended by itself.
  }
}

function readQuietly(path) {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return undefined;
  }
}

main(process.argv.slice(2)).catch((error) => {
  process.stderr.write(`The program was not started: ${error.message}\n`);
  process.exit(125);
});
