// What every part of the suite shares: the client under test, names that no other run uses, and how a refusal looks.
// The suite is written against Google's published client as its documentation teaches. Nothing in it is of this project, so
// that it runs against any Datastore server:
//   npx appengine emulator datastore --ephemeral --exec "node --test tests/google-clients/node/datastore.test.mjs"
// DATASTORE_CLIENT names another version of the package; DATASTORE_TRANSPORT=rest has it speak HTTP with JSON. Must not import anything of the platform.
// Read next: datastore.test.mjs for the parts.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';

if (!process.env.DATASTORE_EMULATOR_HOST)
  throw new Error('DATASTORE_EMULATOR_HOST is not set: this suite writes, so it runs against an emulator only.');
// The library would look for a metadata server of Google's otherwise, and warn that there is none.
process.env.METADATA_SERVER_DETECTION ??= 'none';

const otherClient = process.env.DATASTORE_CLIENT;
const { default: library } = otherClient ? await import(otherClient) : await import('@google-cloud/datastore');
export const { Datastore, PropertyFilter, and, or, AggregateField } = library;

export const projectId = process.env.GOOGLE_CLOUD_PROJECT ?? process.env.DATASTORE_PROJECT_ID ?? 'client-tests';

/** Credentials that add nothing to a request: over HTTP the client has no insecure ones. */
const auth = {
  getClient: () => Promise.resolve(auth),
  getRequestHeaders: () => Promise.resolve({}),
  fetch: (url, request) => fetch(url, request),
};

/** For HTTP with JSON, which the client calls its fallback. */
export const restOptions = { fallback: true, protocol: 'http', auth };

/** Whether the whole suite is to go that way. */
export const isRest = process.env.DATASTORE_TRANSPORT === 'rest';

export const datastore = new Datastore({ projectId, ...(isRest ? restOptions : {}) });

/** The major version of the client. */
export const major = Number(datastore.options.libVersion.split('.')[0]);

/** The generated client below the library: every message as the API has it. */
export const rawClient = new library.v1.DatastoreClient({ ...datastore.options });

const run = randomBytes(4).toString('hex');
let names = 0;

/** A name that no other test and no other run uses. */
export function uniqueName(stem) {
  names += 1;
  return `${stem}_${run}_${names}`;
}

/** Stores `{ name: properties }` under a kind of its own; returns that kind. */
export async function seed(stem, rows, store = datastore) {
  const kind = uniqueName(stem);
  await store.save(Object.entries(rows).map(([name, data]) => ({ key: store.key([kind, name]), data })));
  return kind;
}

/** The names or ids of entities' keys, in the order in which they came. */
export function keyNames(entities) {
  return entities.map((entity) => entity[Datastore.KEY].name ?? entity[Datastore.KEY].id);
}

/** The names that a query finds. */
export async function found(query, options) {
  const [entities] = await query.run(options);
  return keyNames(entities);
}

export const CODE = {
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
};

/** Asserts that a call is refused with this canonical code and text. */
export async function assertRefused(promise, code, text) {
  await assert.rejects(promise, (error) => {
    assert.equal(error.code, code, `code of: ${error.message}`);
    assert.match(error.message, text);
    return true;
  });
}

/** Releases the connections, so that the process ends by itself. */
export async function closeClients() {
  await Promise.all([...datastore.clients_.values(), rawClient].map((client) => client.close()));
}
