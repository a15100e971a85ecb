const cluster = require('node:cluster');
const http = require('node:http');
const { isMainThread, parentPort, Worker } = require('node:worker_threads');

if (!isMainThread) {
  parentPort.postMessage(`thread of ${process.version}`);
} else if (cluster.isPrimary) {
  for (let count = 0; count < 2; count++) cluster.fork();
} else {
  http
    .createServer((request, response) => {
      if (request.url !== '/thread') return response.end(`worker ${cluster.worker.id}`);
      new Worker(__filename).once('message', (message) => response.end(message));
    })
    .listen(process.env.PORT);
}
