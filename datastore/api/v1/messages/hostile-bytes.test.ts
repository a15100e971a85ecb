// Bytes that no client of good will sends: refused as invalid, never a failure of ours, an overflow of the stack, or a long wait.
import fc from 'fast-check';
import protobuf from 'protobufjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type GrpcCode, PlatformError } from '../../../../sdk/contract/errors.ts';
import { LIMITS } from '../../../../sdk/contract/limits.ts';
import { type Datastore } from '../../../datastore.ts';
import { openDatastore } from '../../../fixture.ts';
import { V1_METHODS, type V1Method } from '../port.ts';
import { encode, entityOf, keyOf, messageType, type Plain, PROJECT, refusalOf, V1Client } from './v1-fixture.ts';
import { DatastoreV1Service } from '../v1-service.ts';

const condition = {
  propertyFilter: { property: { name: 'n' }, op: 'IN', value: { arrayValue: { values: [{ integerValue: 1 }, { stringValue: 'a' }] } } },
};
const query = {
  kind: [{ name: 'Task' }],
  projection: [{ property: { name: 'n' } }],
  distinctOn: [{ name: 'n' }],
  filter: { compositeFilter: { op: 'AND', filters: [condition, condition] } },
  order: [{ property: { name: 'n' }, direction: 'DESCENDING' }],
  offset: 1,
  limit: { value: 2 },
};
const readOptions = { newTransaction: { readOnly: { readTime: { seconds: 1_700_000_000 } } } };
const gqlQuery = {
  queryString: 'SELECT * FROM Task WHERE n = @a AND m = @1',
  namedBindings: { a: { value: { integerValue: 1 } } },
  positionalBindings: [{ value: { integerValue: 2 } }],
};

/** Requests that hold about everything there is. */
const GOOD: Readonly<Record<V1Method, readonly Plain[]>> = {
  Lookup: [{ keys: [keyOf('Task', 'a'), keyOf('Task', 1, 'Step', 'b')], readOptions, propertyMask: { paths: ['n', 'a.b'] } }],
  RunQuery: [
    { query, readOptions, explainOptions: { analyze: true }, partitionId: { projectId: PROJECT, namespaceId: 'n' } },
    { gqlQuery, propertyMask: { paths: ['n'] } },
  ],
  RunAggregationQuery: [
    {
      aggregationQuery: {
        nestedQuery: query,
        aggregations: [{ count: { upTo: { value: 5 } }, alias: 'c' }, { sum: { property: { name: 'n' } } }],
      },
    },
  ],
  BeginTransaction: [{ transactionOptions: { readWrite: { previousTransaction: Buffer.alloc(16) } } }],
  Commit: [
    {
      mode: 'TRANSACTIONAL',
      singleUseTransaction: { readWrite: {} },
      mutations: [
        {
          upsert: entityOf(keyOf('Task', 'a'), { n: 1, text: 'x' }),
          propertyMask: { paths: ['n'] },
          propertyTransforms: [{ property: 'n', increment: { integerValue: 1 } }],
        },
        { delete: keyOf('Task', 'b'), baseVersion: 5, conflictResolutionStrategy: 'FAIL' },
      ],
    },
  ],
  Rollback: [{ transaction: Buffer.alloc(16, 1) }],
  AllocateIds: [{ keys: [keyOf('Task')] }],
  ReserveIds: [{ keys: [keyOf('Task', 5)] }],
};

/** What is wrong with a request, or comes of one that is well-formed. */
const EXPECTED: readonly GrpcCode[] = [
  'INVALID_ARGUMENT',
  'FAILED_PRECONDITION',
  'PERMISSION_DENIED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'ABORTED',
];

describe('hostile bytes', () => {
  let datastore: Datastore;
  let client: V1Client;

  beforeAll(async () => {
    ({ datastore } = await openDatastore());
    client = new V1Client(new DatastoreV1Service(() => datastore));
  });

  afterAll(() => datastore.close());

  const requestsOf = (method: V1Method): readonly Buffer[] =>
    GOOD[method].map((plain) => encode(messageType(`${method}Request`), { projectId: PROJECT, ...plain }));

  /** Sends them; anything but an answer or an expected refusal fails the test. */
  const survives = async (method: V1Method, bytes: Buffer): Promise<void> => {
    try {
      await client.send(method, bytes);
    } catch (error) {
      if (error instanceof PlatformError && EXPECTED.includes(error.row.grpc)) return;
      throw new Error(`${method} of ${bytes.toString('hex')}`, { cause: error });
    }
  };

  it.each(V1_METHODS)('may be anything: %s', async (method) => {
    const known = Buffer.concat([Buffer.from([0x42, PROJECT.length]), Buffer.from(PROJECT)]);
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 60 }), (bytes) => survives(method, Buffer.concat([known, bytes]))),
      { numRuns: 300 },
    );
  });

  it.each(V1_METHODS)('may be cut off anywhere: %s', async (method) => {
    for (const request of requestsOf(method)) {
      for (let length = 0; length < request.length; length++) await survives(method, request.subarray(0, length));
    }
  });

  it.each(V1_METHODS)('may be changed anywhere: %s', async (method) => {
    const requests = requestsOf(method);
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.nat(), fc.integer({ min: 1, max: 255 }), async (which, at, flip) => {
        const bytes = Buffer.from(requests[which % requests.length] ?? []);
        bytes[at % bytes.length] = (bytes[at % bytes.length] ?? 0) ^ flip;
        await survives(method, bytes);
      }),
      { numRuns: 300 },
    );
  });

  it('may nest filters without end', async () => {
    const and = Buffer.from([0x08, 1]);
    const nested = (levels: number): Buffer =>
      nest(levels, (inner) => [head(1, and.length + head(2, inner).length + inner), and, head(2, inner)]);
    for (const levels of [LIMITS.queryFilterDepthMax + 1, 50_000]) {
      expect(await refusalOf(client.send('RunQuery', ofProject(field(3, field(4, nested(levels))))))).toContain('filters nest deeper than');
    }
    expect(await refusalOf(client.send('RunQuery', ofProject(field(3, field(4, nested(200_000))))))).toContain('a query has at most');
  });

  it('may nest values without end', async () => {
    const entities = nest(40_000, (inner) => {
      const property = head(2, inner);
      const entity = head(3, property.length + inner);
      return [head(6, entity.length + property.length + inner), entity, property];
    });
    const arrays = nest(40_000, (inner) => [head(9, head(1, inner).length + inner), head(1, inner)]);
    const name = field(1, field(2, Buffer.from('n')));
    const filterOf = (value: Buffer): Buffer =>
      ofProject(field(3, field(4, field(2, Buffer.concat([name, Buffer.from([0x10, 5]), field(3, value)])))));
    expect(await refusalOf(client.send('RunQuery', filterOf(entities)))).toContain('entities nest deeper than');
    expect(await refusalOf(client.send('RunQuery', filterOf(arrays)))).toContain('list_value cannot contain');
    const commit = (value: Buffer): Buffer => {
      const key = field(1, field(2, Buffer.concat([field(1, Buffer.from('Task')), field(3, Buffer.from('a'))])));
      const entity = Buffer.concat([key, field(3, Buffer.concat([field(1, Buffer.from('n')), field(2, value)]))]);
      return ofProject(Buffer.concat([Buffer.from([0x28, 2]), field(6, field(6, entity))]));
    };
    expect(await refusalOf(client.send('Commit', commit(entities)))).toContain('entities nest deeper than');
    expect(await refusalOf(client.send('Commit', commit(arrays)))).toContain('list_value cannot contain');
  });

  it.each<[string, V1Method, Buffer]>([
    ['a lookup has at most', 'Lookup', field(3, Buffer.alloc(0))],
    ['a commit has at most', 'Commit', field(6, field(7, Buffer.alloc(0)))],
    ['a call has at most', 'AllocateIds', field(1, Buffer.alloc(0))],
    ['query is too large', 'RunQuery', field(3, field(5, field(1, field(2, Buffer.from('n')))))],
    ['query is too large', 'RunQuery', field(3, field(2, field(1, field(2, Buffer.from('n')))))],
    ['a statement has at most', 'RunQuery', field(7, field(4, field(3, Buffer.from('c'))))],
  ])('may repeat a field without end: %s', async (text, method, one) => {
    expect(await refusalOf(client.send(method, ofProject(Buffer.concat(Array.from({ length: 20_000 }, () => one)))))).toContain(text);
  });

  it('may repeat a message that occurs once, in linear time', async () => {
    const many = Buffer.concat(Array.from({ length: 100_000 }, () => field(2, field(4, Buffer.from('n')))));
    expect(
      await client.send('RunQuery', ofProject(Buffer.concat([many, field(3, field(3, field(1, Buffer.from('Task'))))]))),
    ).toBeInstanceOf(Buffer);
  });
});

function ofProject(rest: Buffer): Buffer {
  return Buffer.concat([field(8, Buffer.from(PROJECT)), rest]);
}

function field(number: number, bytes: Buffer): Buffer {
  return Buffer.from(
    protobuf.Writer.create()
      .uint32((number << 3) | 2)
      .bytes(bytes)
      .finish(),
  );
}

/** What stands before `bytes` of a field. */
function head(number: number, bytes: number): Buffer {
  return Buffer.from(
    protobuf.Writer.create()
      .uint32((number << 3) | 2)
      .uint32(bytes)
      .finish(),
  );
}

/** `before` is what stands before each level, whose content has so many bytes. */
function nest(levels: number, before: (inner: number) => readonly Buffer[]): Buffer {
  const heads: Buffer[] = [];
  let bytes = 0;
  for (let level = 0; level < levels; level++) {
    const pieces = Buffer.concat(before(bytes));
    bytes += pieces.length;
    heads.push(pieces);
  }
  return Buffer.concat(heads.reverse());
}
