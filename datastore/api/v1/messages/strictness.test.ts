// No message of a request may hold what nobody looks at: at every place of every request where the published descriptors have a
// message, a field that it does not have is refused by the message's name, and one of another wire type as malformed.
import protobuf from 'protobufjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Datastore } from '../../../datastore.ts';
import { openDatastore } from '../../../fixture.ts';
import { V1_METHODS, type V1Method } from '../port.ts';
import { encode, entityOf, keyOf, messageType, type Plain, PROJECT, V1Client } from './v1-fixture.ts';
import { DatastoreV1Service } from '../v1-service.ts';

/** A field that no published message has. */
const UNKNOWN = 1_000;
/** Refused as a whole, by name. */
const NOT_SERVED = new Set(['.google.datastore.v1.Query.findNearest']);
/** The values of entities to be stored are kept as they are, whatever is in them. */
const STORED = new Set([
  '.google.datastore.v1.Mutation.insert',
  '.google.datastore.v1.Mutation.update',
  '.google.datastore.v1.Mutation.upsert',
]);

/** What must stand beside a nested message for its turn to come. */
const BESIDE: Readonly<Record<string, Plain>> = {
  Mutation: { upsert: entityOf(keyOf('Task', 'a')) },
  PropertyFilter: { property: { name: 'n' }, op: 'EQUAL' },
  PropertyTransform: { property: 'n' },
};

interface Place {
  readonly method: V1Method;
  /** From the request on. */
  readonly fields: readonly protobuf.Field[];
  readonly type: protobuf.Type;
}

/** Where messages stand in a request, each kind of message at most once on the way to another. */
function placesOf(method: V1Method): readonly Place[] {
  const walk = (type: protobuf.Type, fields: readonly protobuf.Field[], above: readonly protobuf.Type[]): readonly Place[] => {
    if (above.includes(type)) return [];
    const nested = type.fieldsArray.flatMap((field) => {
      const inner = field.resolve().resolvedType;
      if (!(inner instanceof protobuf.Type) || NOT_SERVED.has(`${type.fullName}.${field.name}`)) return [];
      const isStored = fields.some((one) => STORED.has(`${one.parent?.fullName ?? ''}.${one.name}`));
      return isStored && field.name === 'properties' ? [] : walk(inner, [...fields, field], [...above, type]);
    });
    return [{ method, fields, type }, ...nested];
  };
  return walk(messageType(`${method}Request`), [], []);
}

/** The request whose only nested message, place by place, ends in `content`. */
function requestWith(fields: readonly protobuf.Field[], content: Buffer): Buffer {
  const inner = [...fields].reverse().reduce((bytes, field) => {
    const nested = delimited(field.id, field.map ? Buffer.concat([delimited(1, Buffer.from('name')), delimited(2, bytes)]) : bytes);
    const { parent } = field;
    const beside = parent && BESIDE[parent.name];
    return beside ? Buffer.concat([encode(messageType(parent.name), beside), nested]) : nested;
  }, content);
  return Buffer.concat([delimited(8, Buffer.from(PROJECT)), inner]);
}

function delimited(field: number, bytes: Buffer): Buffer {
  return Buffer.from(
    protobuf.Writer.create()
      .uint32((field << 3) | 2)
      .bytes(bytes)
      .finish(),
  );
}

function varint(field: number): Buffer {
  return Buffer.from(
    protobuf.Writer.create()
      .uint32(field << 3)
      .uint32(1)
      .finish(),
  );
}

function titleOf({ fields, type }: Place): string {
  return fields.map(({ name }) => name).join('.') || type.name;
}

function nameOf(type: protobuf.Type): string {
  return type.fullName.replace(/^\.google\.(datastore\.v1|protobuf|type)\./, '');
}

describe.each(V1_METHODS)('%sRequest', (method) => {
  let datastore: Datastore;
  let client: V1Client;

  beforeAll(async () => {
    ({ datastore } = await openDatastore());
    client = new V1Client(new DatastoreV1Service(() => datastore));
  });

  afterAll(() => datastore.close());

  const places = placesOf(method).map((place) => [titleOf(place), place] as const);

  it.each(places)('refuses an unknown field in %s', async (_title, { fields, type }) => {
    await expect(client.send(method, requestWith(fields, varint(UNKNOWN)))).rejects.toMatchObject({
      code: 'DS_INVALID',
      message: expect.stringMatching(new RegExp(`: (written )?${nameOf(type).replaceAll('.', '\\.')} has no field ${UNKNOWN}$`)) as string,
    });
  });

  it.each(places)('refuses fields of other wire types in %s', async (_title, { fields, type }) => {
    for (const field of type.fieldsArray) {
      if (NOT_SERVED.has(`${type.fullName}.${field.name}`)) continue;
      // No field of a request is of this wire type.
      const wrong = Buffer.from(
        protobuf.Writer.create()
          .uint32((field.id << 3) | 5)
          .fixed32(1)
          .finish(),
      );
      await expect(client.send(method, requestWith(fields, wrong)), field.name).rejects.toMatchObject({
        code: 'DS_INVALID',
        message: expect.stringContaining('malformed message: ') as string,
      });
    }
  });
});
