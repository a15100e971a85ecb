// Marks what an app prints with the request that it prints it for, so that `appengine logs read --request` shows both
// together: each line that is written within a request begins with its id between two control characters, which the host
// cuts off again (runtime/host/instance-log.ts). Lines of process.stdout and process.stderr, so console's too; a logger that
// writes to the descriptor by itself says its trace in its own way. APPENGINE_REQUEST_LINES=0 leaves everything as it is.
'use strict';
const { AsyncLocalStorage } = require('node:async_hooks');

const ID = /^[0-9a-f]{32}$/;
const LINE_END = 10;
const INNER_LINE_ENDS = /\n(?!$)/g;

const marks = new AsyncLocalStorage();
/** Of the handler that runs now, up to its first await. */
let current;
let hasServed = false;
/**
 * Whether what a handler begins is followed too. On Node 20 that costs each await 0.4 us, so it begins with the first line that
 * is printed once there are requests: an app that prints nothing for them pays nothing, another loses the mark of
 * that line at most, if it comes after an await.
 */
let isFollowed = false;

/** Runs `serve`, and all that it begins, as the request's. */
exports.within = (request, serve) => {
  const id = request?.headers?.['x-appengine-request-log-id'];
  if (typeof id !== 'string' || !ID.test(id)) return serve();
  hasServed = true;
  const mark = `\u001e${id}\u001f`;
  if (isFollowed) return marks.run(mark, serve);
  const before = current;
  current = mark;
  try {
    return serve();
  } finally {
    current = before;
  }
};

/** The streams are made when they are first used: until then nothing is done here either. */
exports.install = () => {
  for (const name of ['stdout', 'stderr']) {
    const descriptor = Object.getOwnPropertyDescriptor(process, name);
    if (!descriptor?.get || !descriptor.configurable) continue;
    Object.defineProperty(process, name, {
      ...descriptor,
      get() {
        Object.defineProperty(process, name, descriptor);
        const stream = process[name];
        waitForReader(stream);
        markLines(stream);
        return stream;
      },
    });
  }
};

/**
 * Node keeps in memory what the host has not read yet, without a limit: an app that prints faster would die of it, and lose it at
 * process.exit(). So a write waits instead, as in other languages, and as Node's documentation says of pipes on Linux.
 */
function waitForReader(stream) {
  stream._handle?.setBlocking?.(true);
}

function markLines(stream) {
  const { write } = stream;
  let isAtLineStart = true;
  stream.write = function (chunk, ...rest) {
    if (typeof chunk !== 'string' || chunk === '') {
      if (chunk?.length > 0) isAtLineStart = chunk[chunk.length - 1] === LINE_END;
      return write.call(this, chunk, ...rest);
    }
    const mark = marks.getStore() ?? current;
    if (!isFollowed && hasServed) {
      isFollowed = true;
      if (current !== undefined) marks.enterWith(current);
    }
    const begin = isAtLineStart;
    isAtLineStart = chunk.endsWith('\n');
    if (mark === undefined) return write.call(this, chunk, ...rest);
    const marked = chunk.indexOf('\n') < chunk.length - 1 ? chunk.replace(INNER_LINE_ENDS, `\n${mark}`) : chunk;
    return write.call(this, begin ? mark + marked : marked, ...rest);
  };
}
