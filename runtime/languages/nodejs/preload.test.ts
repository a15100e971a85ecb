import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const preload = join(import.meta.dirname, 'preload.cjs');
let directory: string;
let socket: string;
let children: ChildProcess[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'preload-'));
  socket = join(directory, 'app.sock');
  children = [];
});
afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

/** Runs a program with the preload and resolves with its first line of output. */
function start(code: string, name = 'app.cjs'): Promise<{ line: string; child: ChildProcess }> {
  const program = join(directory, name);
  writeFileSync(program, code);
  const child = spawn(process.execPath, [program], {
    env: { ...process.env, NODE_OPTIONS: `--require=${preload}`, PORT: '8080', APPENGINE_LISTEN: socket, APPENGINE_LISTEN_PORT: '8080' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  return new Promise((resolve, reject) => {
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      if (text.includes('\n')) resolve({ line: text.split('\n')[0] ?? '', child });
    });
    child.once('exit', (exitCode) => {
      reject(new Error(`exited with ${String(exitCode)}: ${text}`));
    });
  });
}

function body(): Promise<string> {
  return new Promise((resolve, reject) => {
    get({ socketPath: socket, path: '/', agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.once('end', () => {
        resolve(text);
      });
    }).once('error', reject);
  });
}

const server = `const server = require('http').createServer((request, response) => response.end('hello from ' + request.socket.remoteAddress));
const show = () => console.log(JSON.stringify(server.address()));`;

describe('the Node.js preload', () => {
  it.each([
    ['a port', 'server.listen(8080, show)', { address: '::', family: 'IPv6', port: 8080 }],
    ['$PORT, a string', 'server.listen(process.env.PORT, show)', { address: '::', family: 'IPv6', port: 8080 }],
    ['a port and a host', `server.listen(8080, '0.0.0.0', show)`, { address: '0.0.0.0', family: 'IPv4', port: 8080 }],
    ['a port, a host and a backlog', `server.listen(8080, 'localhost', 511, show)`, { address: '127.0.0.1', family: 'IPv4', port: 8080 }],
    ['a port and a backlog', 'server.listen(8080, 511, show)', { address: '::', family: 'IPv6', port: 8080 }],
    ['an object', `server.listen({ port: 8080, host: '127.0.0.1' }, show)`, { address: '127.0.0.1', family: 'IPv4', port: 8080 }],
    ['an object with a string', `server.listen({ port: '8080' }, show)`, { address: '::', family: 'IPv6', port: 8080 }],
    ['no callback', `server.listen(8080); server.once('listening', show)`, { address: '::', family: 'IPv6', port: 8080 }],
  ])('maps listen with %s', async (_form, listen, address) => {
    const { line } = await start(`${server} ${listen}`);
    expect(JSON.parse(line)).toEqual(address);
    expect(await body()).toBe('hello from 127.0.0.1');
  });

  it('says when Node runs by a file beside the socket, once for all processes of an app', async () => {
    await start(`const { existsSync } = require('node:fs'); console.log(existsSync(${JSON.stringify(join(directory, 'runtime'))}))`);
    const { line } = await start(`console.log(require('node:fs').readdirSync(${JSON.stringify(directory)}).includes('runtime'))`);
    expect(line).toBe('true');
  });

  it('leaves other ports and paths alone', async () => {
    const { line } = await start(`${server}
      server.listen(0, '127.0.0.1', () => {
        const other = require('net').createServer().listen(${JSON.stringify(join(directory, 'other.sock'))}, () => console.log(server.address().port, other.address()));
      })`);
    expect(line).toMatch(/^[1-9]\d* \/.*other\.sock$/);
    expect(existsSync(socket)).toBe(false);
  });

  it('works with ES modules, https-like subclasses and Express', async () => {
    const express = import.meta.resolve('express');
    const { line } = await start(
      `import express from ${JSON.stringify(express)};
       const app = express();
       app.get('/', (request, response) => response.send('express at ' + request.ip));
       const server = app.listen(process.env.PORT, () => console.log(server.address().port));`,
      'app.mjs',
    );
    expect(line).toBe('8080');
    expect(await body()).toBe('express at 127.0.0.1');
  });

  it('has no address once closed, and can listen anew', async () => {
    const { line } = await start(`${server}
      server.listen(8080, () => server.close(() => { const closed = server.address(); server.listen(8080, () => console.log(closed, server.address().port)) }))`);
    expect(line).toBe('null 8080');
    expect(await body()).toContain('hello');
  });

  it('answers a second listener with EADDRINUSE, as the port would', async () => {
    const { line } = await start(`${server}
      server.listen(8080, () => {
        const { fork } = require('child_process');
        require('fs').writeFileSync(${JSON.stringify(join(directory, 'child.cjs'))}, "require('net').createServer().on('error', (error) => console.log(error.code)).listen(8080)");
        fork(${JSON.stringify(join(directory, 'child.cjs'))});
      })`);
    expect(line).toBe('EADDRINUSE');
    expect(await body()).toContain('hello');
  });

  it('replaces the socket file of a process that was killed', async () => {
    const { child } = await start(`${server} server.listen(8080, show)`);
    child.removeAllListeners('exit');
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
    expect(existsSync(socket)).toBe(true);
    await start(`${server} server.listen(8080, show)`);
    expect(await body()).toContain('hello');
  });

  it('leaves SIGTERM to its default', async () => {
    const { child } = await start(`${server} server.listen(8080, show)`);
    child.removeAllListeners('exit');
    const ended = new Promise((resolve) => child.once('exit', (_code, signal) => resolve(signal)));
    child.kill('SIGTERM');
    expect(await ended).toBe('SIGTERM');
  });

  it('works in a cluster', async () => {
    await start(`const cluster = require('cluster');
      if (cluster.isPrimary) cluster.fork();
      else { ${server} server.listen(8080, show) }`);
    expect(await body()).toContain('hello');
  });
});
