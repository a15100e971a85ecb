// Notes in the datastore, by Google's client alone: nothing here knows of the platform. `project` is what the client calls the project;
// without it the client finds that out by itself.
import { Datastore, PropertyFilter } from '@google-cloud/datastore';
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { promisify } from 'node:util';

const clients = new Map();
function clientFor(project, options = {}) {
  const key = JSON.stringify([project, options]);
  if (!clients.has(key)) clients.set(key, new Datastore({ ...(project ? { projectId: project } : {}), ...options }));
  return clients.get(key);
}

/** The same API as JSON over HTTP. Its credentials are looked for even with an emulator, so it is given none. */
async function restClient(project) {
  const { PassThroughClient } = createRequire(createRequire(import.meta.url).resolve('@google-cloud/datastore'))('google-auth-library');
  return new Datastore({ projectId: project, fallback: true, protocol: 'http', authClient: new PassThroughClient() });
}

const tried = (host, port) =>
  new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 3_000 });
    const say = (what) => {
      socket.destroy();
      resolve(what);
    };
    socket.once('connect', () => say('connected'));
    socket.once('error', ({ code }) => say(code));
    socket.once('timeout', () => say('timeout'));
  });

const routes = {
  '/': () => 'up',
  '/environment': () => {
    const names = ['GOOGLE_CLOUD_PROJECT', 'DATASTORE_EMULATOR_HOST', 'DATASTORE_PROJECT_ID', 'OWN'];
    return Object.fromEntries(names.map((name) => [name, process.env[name]]));
  },
  '/project': () => clientFor().getProjectId(),
  /** `own`: over a connection of its own. Otherwise the library shares one among clients of the same address. */
  '/save': async ({ project, name, text, own }) => {
    const datastore = clientFor(project, own ? { 'grpc.use_local_subchannel_pool': 1 } : {});
    await datastore.save({ key: datastore.key(['Note', name]), data: { text, at: new Date(0) } });
    return 'saved';
  },
  '/read': async ({ project, name }) => {
    const datastore = clientFor(project);
    const [note] = await datastore.get(datastore.key(['Note', name]), { wrapNumbers: true });
    return note?.text ?? null;
  },
  '/list': async ({ project }) => {
    const datastore = clientFor(project);
    const [notes] = await datastore.runQuery(datastore.createQuery('Note').order('text'));
    const [first] = await datastore.runQuery(
      datastore
        .createQuery('Note')
        .filter(new PropertyFilter('text', '>=', ''))
        .order('text')
        .limit(1),
    );
    const [[{ count }]] = await datastore.runAggregationQuery(
      datastore.createAggregationQuery(datastore.createQuery('Note')).count('count'),
    );
    return { texts: notes.map(({ text }) => text), first: first[0]?.text, count };
  },
  '/insert': async ({ project, name }) => {
    const datastore = clientFor(project);
    return datastore.insert({ key: datastore.key(['Note', name]), data: { text: 'inserted' } }).then(
      () => 'inserted',
      ({ code }) => `code ${code}`,
    );
  },
  '/append': async ({ name, text }) => {
    const datastore = clientFor();
    const transaction = datastore.transaction();
    await transaction.run();
    const key = datastore.key(['Note', name]);
    const [note] = await transaction.get(key);
    transaction.save({ key, data: { ...note, text: note.text + text } });
    await transaction.commit();
    return 'appended';
  },
  /** Under which names a project's keys come back, and what becomes of a key of another one. */
  '/names': async ({ project, other }) => {
    const datastore = clientFor(project);
    const api = new (await import('@google-cloud/datastore')).v1.DatastoreClient({
      servicePath: datastore.options.servicePath,
      port: datastore.options.port,
      sslCreds: datastore.options.sslCreds,
      projectId: project,
    });
    const key = (projectId) => ({ partitionId: { projectId }, path: [{ kind: 'Note', name: 'one' }] });
    const [{ found }] = await api.lookup({ projectId: project, keys: [key(project)] });
    const refused = await api.lookup({ projectId: project, keys: [key(other)] }).then(
      () => 'answered',
      ({ code }) => `code ${code}`,
    );
    await api.close();
    return { named: found.map(({ entity }) => entity.key.partitionId.projectId), refused };
  },
  '/rest': async ({ project, text }) => {
    const datastore = await restClient(project);
    const key = datastore.key(['Note', 'by-rest']);
    await datastore.save({ key, data: { text, big: datastore.int('9007199254740993') } });
    const [note] = await datastore.get(key, { wrapNumbers: true });
    return [note.text, note.big.value];
  },
  /** A process of the app's own, with no more than the variables that it inherits. */
  '/child': async ({ name }) => {
    const code = `const { Datastore } = require('@google-cloud/datastore'); const datastore = new Datastore();
      datastore.get(datastore.key(['Note', ${JSON.stringify(name)}])).then(([note]) => console.log(note.text));`;
    return (await promisify(execFile)(process.execPath, ['-e', code], { cwd: import.meta.dirname })).stdout.trim();
  },
  '/connect': ({ host, port }) => tried(host, Number(port)),
  '/interfaces': () =>
    readFileSync('/proc/net/dev', 'utf8')
      .split('\n')
      .slice(2)
      .map((line) => line.split(':')[0].trim())
      .filter(Boolean),
  '/visible': ({ path }) => {
    try {
      return readdirSync(path);
    } catch ({ code }) {
      return code;
    }
  },
  '/sockets': () => readdirSync(process.env.APPENGINE_SOCKETS).sort(),
};

createServer(async (request, response) => {
  const { pathname, searchParams } = new URL(request.url, 'http://app');
  try {
    response.end(JSON.stringify(await routes[pathname](Object.fromEntries(searchParams))));
  } catch (error) {
    response.statusCode = 500;
    response.end(String(error.stack));
  }
}).listen(process.env.PORT);
