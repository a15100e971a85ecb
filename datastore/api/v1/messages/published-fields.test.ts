// Each field of each message that a request of the published API can hold is honoured, or refused by its name: this says which,
// and shows it. A field that a newer client knows fails the test until somebody decides.
import protobuf from 'protobufjs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Datastore } from '../../../datastore.ts';
import { openDatastore } from '../../../fixture.ts';
import { V1_METHODS } from '../port.ts';
import { ENTITY_EFFECTS } from './published-effects/entity-effects.ts';
import { type Effect, type World } from './published-effects/effect.ts';
import { QUERY_EFFECTS } from './published-effects/query-effects.ts';
import { READ_EFFECTS } from './published-effects/read-effects.ts';
import { WRITE_EFFECTS } from './published-effects/write-effects.ts';
import { messageType, type Plain, refusalOf, V1Client } from './v1-fixture.ts';
import { DatastoreV1Service } from '../v1-service.ts';

const EFFECTS: readonly Effect[] = [...READ_EFFECTS, ...QUERY_EFFECTS, ...ENTITY_EFFECTS, ...WRITE_EFFECTS];

/** Refused as a whole, by name, whatever is in them. */
const REFUSED: readonly (readonly [field: string, request: Plain, name: string])[] = [
  ['Query.findNearest', { findNearest: { limit: { value: 1 } } }, 'query.find_nearest'],
];
/** What stands in them alone. */
const WITHIN_REFUSED = ['FindNearest', 'google.protobuf.DoubleValue'];

function publishedFields(): readonly string[] {
  const seen = new Set<protobuf.Type>();
  const walk = (type: protobuf.Type): readonly string[] => {
    const name = type.fullName.replace(/^\.(google\.datastore\.v1\.)?/, '');
    if (seen.has(type) || WITHIN_REFUSED.includes(name)) return [];
    seen.add(type);
    return type.fieldsArray.flatMap((field) => {
      const inner = field.resolve().resolvedType;
      return [`${name}.${field.name}`, ...(inner instanceof protobuf.Type ? walk(inner) : [])];
    });
  };
  return V1_METHODS.flatMap((method) => walk(messageType(`${method}Request`)));
}

describe('the published fields of requests', () => {
  let datastore: Datastore;
  let world: World;

  beforeEach(async () => {
    const opened = await openDatastore();
    ({ datastore } = opened);
    const service = new DatastoreV1Service(() => datastore);
    world = { service, client: new V1Client(service), time: opened.time };
  });

  afterEach(() => datastore.close());

  it('are all decided on, once', () => {
    const decided = [...EFFECTS.flatMap(({ fields }) => fields), ...REFUSED.map(([field]) => field)];
    expect([...decided].sort()).toEqual([...publishedFields()].sort());
  });

  it.each(EFFECTS.map((effect) => [effect.what, effect.fields.join(', '), effect] as const))('%s: %s', async (_what, _fields, { show }) => {
    await show(world);
  });

  it.each(REFUSED)('%s is refused', async (_field, query, name) => {
    expect(await refusalOf(world.client.call('RunQuery', { query: { kind: [{ name: 'Task' }], ...query } }))).toMatch(
      new RegExp(`^INVALID_ARGUMENT .*${name} is not supported`),
    );
  });

  it.each(V1_METHODS)('%s has request options, which newer clients know: they are refused', async (method) => {
    const numbers = {
      Lookup: 10,
      RunQuery: 13,
      RunAggregationQuery: 12,
      BeginTransaction: 11,
      Commit: 11,
      Rollback: 10,
      AllocateIds: 10,
      ReserveIds: 10,
    };
    const bytes = Buffer.from(
      protobuf.Writer.create()
        .uint32((numbers[method] << 3) | 2)
        .string('')
        .finish(),
    );
    expect(await refusalOf(world.client.send(method, bytes))).toMatch(/^INVALID_ARGUMENT .*request_options is not supported/);
  });
});
