// An app whose every request takes all it can of one thing, for `?ms=` at most: what it does ends by itself, and is bounded
// also where nothing else bounds it.

export const HOGS = ['cpu', 'memory', 'logs', 'disk', 'forks'] as const;
export type HogKind = (typeof HOGS)[number];

/** Children of one instance that burn CPU, as a fork bomb's do. Last of all, for without limits they outlive it by seconds. */
const FORKS_MAX = 20;
/** Above what an instance of class F1 may have. */
const MEMORY_BYTES_MAX = 600_000_000;
const DISK_BYTES_MAX = 300_000_000;

export const HOG_SERVER = `
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const { Worker } = require('node:worker_threads');
const http = require('node:http');

const spin = 'const end = Date.now() + require("node:worker_threads").workerData; while (Date.now() < end);';

const hogs = {
  cpu(ms) {
    for (let thread = 0; thread < 2; thread++) new Worker(spin, { eval: true, workerData: ms }).on('error', () => {});
  },
  forks(ms) {
    const seconds = Math.ceil(ms / 1000);
    for (let child = 0; child < ${FORKS_MAX}; child++) {
      // The watcher ends the loop, and both end with their parent's group where there is one.
      const script = '(sleep ' + seconds + '; kill $$) & while :; do :; done';
      spawn('sh', ['-c', script], { stdio: 'ignore' }).on('error', () => {});
    }
  },
  memory(ms) {
    const blocks = [];
    const end = Date.now() + ms;
    const more = () => {
      if (Date.now() > end) return;
      if (blocks.length * 8e6 < ${MEMORY_BYTES_MAX}) blocks.push(Buffer.alloc(8e6, 1));
      // Touched again and again, so that it stays in use.
      for (const block of blocks) for (let at = 0; at < block.length; at += 4096) block[at]++;
      setImmediate(more);
    };
    more();
  },
  logs(ms) {
    const line = 'x'.repeat(200);
    const end = Date.now() + ms;
    const more = () => {
      if (Date.now() > end) return;
      for (let count = 0; count < 1000; count++) console.log(line);
      setImmediate(more);
    };
    more();
  },
  disk(ms) {
    const file = '/tmp/fill-' + process.pid;
    const block = Buffer.alloc(1e6, 1);
    const end = Date.now() + ms;
    const more = () => {
      if (Date.now() > end) return fs.rm(file, { force: true }, () => {});
      try {
        if (fs.existsSync(file) && fs.statSync(file).size > ${DISK_BYTES_MAX}) fs.truncateSync(file);
        for (let count = 0; count < 10; count++) fs.appendFileSync(file, block);
      } catch {
        try { fs.truncateSync(file); } catch {}
      }
      setImmediate(more);
    };
    more();
  },
};

http.createServer((request, response) => {
  const url = new URL(request.url, 'http://hog');
  const ms = Number(url.searchParams.get('ms') ?? 0);
  hogs[url.pathname.slice(1)]?.(ms);
  setTimeout(() => response.end('done'), ms);
}).listen(process.env.PORT);
`;
