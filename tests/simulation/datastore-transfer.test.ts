// What is exported and imported again is what it was: every type of value, whatever they hold.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { datastoreAdminService } from '../../datastore/api/wire-service.ts';
import { openDatastore } from '../../datastore/fixture.ts';
import { DataTransfer } from '../../runtime/control/data-transfer.ts';
import { type ExportLine } from '../../sdk/contract/admin/transfer.ts';
import { decodeEntity, encodeEntity, encodeKey } from '../../sdk/contract/entity-proto.ts';
import { type Entity, type Properties, type Value, type ValueBody } from '../../sdk/contract/entity.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { type Key, type PathElement } from '../../sdk/contract/key.ts';
import { InProcessRpc } from '../../sdk/contract/wire/client.ts';
import { systemTimers } from '../../sdk/support/clock.ts';

const RUNS = 60;
const APP = 'exported';
const signal = new AbortController().signal;

const text = fc.string({ unit: 'binary', maxLength: 30 });
const word = fc.oneof(fc.stringMatching(/^[a-z"\\\u2028 ]{1,5}$/), fc.constantFrom('é', '😀', '\0', '\n', '__proto__x', 'constructor'));
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const element: fc.Arbitrary<PathElement> = fc.oneof(
  fc.record({ kind: word, id: int64.filter((id) => id !== 0n) }),
  fc.record({ kind: word, name: word }),
);
const partition = fc.constantFrom('', 'ns', 'a.b_c-D');
const keyOf = (project: fc.Arbitrary<string>): fc.Arbitrary<Key> =>
  fc.record({ projectId: project, databaseId: partition, namespace: partition, path: fc.array(element, { minLength: 1, maxLength: 3 }) });
const keyValue = keyOf(fc.constantFrom('', APP, 'third'));
const record = (entries: readonly (readonly [string, Value])[]): Properties =>
  Object.assign(Object.create(null) as object, Object.fromEntries(entries));

const { properties } = fc.letrec<{ value: Value; leaf: ValueBody; properties: Properties }>((tie) => ({
  leaf: fc.oneof(
    { maxDepth: 3 },
    fc.constant<ValueBody>({ kind: 'null' }),
    fc.boolean().map((item): ValueBody => ({ kind: 'boolean', value: item })),
    int64.map((item): ValueBody => ({ kind: 'integer', value: item })),
    fc.oneof(fc.double(), fc.constantFrom(-0, NaN, Infinity, -Infinity)).map((item): ValueBody => ({ kind: 'double', value: item })),
    int64.map((micros): ValueBody => ({ kind: 'timestamp', micros })),
    text.map((item): ValueBody => ({ kind: 'string', value: item })),
    fc.uint8Array().map((bytes): ValueBody => ({ kind: 'blob', value: Buffer.from(bytes) })),
    fc.record({
      kind: fc.constant('geoPoint' as const),
      latitude: fc.double({ min: -90, max: 90, noNaN: true }).map((item) => item + 0),
      longitude: fc.double({ min: -180, max: 180, noNaN: true }).map((item) => item + 0),
    }),
    keyValue.map((item): ValueBody => ({ kind: 'key', value: item })),
    fc
      .tuple(fc.option(keyValue, { nil: undefined }), tie('properties'))
      .map(([key, inner]): ValueBody => ({ kind: 'entity', value: { ...(key ? { key } : {}), properties: inner } })),
  ),
  value: fc
    .tuple(
      fc.oneof(
        tie('leaf'),
        fc.array(tie('leaf'), { maxLength: 3 }).map((values): ValueBody => ({ kind: 'array', values })),
      ),
      fc.option(fc.constantFrom(1, 15, 22), { nil: undefined }),
      fc.boolean(),
    )
    .map(([body, meaning, excluded]): Value => ({
      ...body,
      ...(meaning === undefined ? {} : { meaning }),
      ...(excluded && body.kind !== 'array' ? { excludeFromIndexes: true } : {}),
    })),
  properties: fc.array(fc.tuple(word, tie('value')), { maxLength: 5 }).map(record),
}));
const entities: fc.Arbitrary<readonly Entity[]> = fc.array(fc.record({ key: keyOf(fc.constant(APP)), properties }), { maxLength: 6 });

async function exported(transfer: DataTransfer, appId: string): Promise<Buffer> {
  const lines: string[] = [];
  for await (const page of transfer.export(appId, {}, { signal })) {
    lines.push(...page.filter((line: ExportLine) => 'entity' in line).map((line) => JSON.stringify(line)));
  }
  return Buffer.from(lines.map((line) => `${line}\n`).join(''));
}

const entitiesIn = (lines: Buffer): unknown[] =>
  lines
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => (JSON.parse(line) as { entity: unknown }).entity);

/** In chunks that end anywhere. */
async function* chunks(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield await Promise.resolve(bytes.subarray(at, at + size));
}

it('comes back as it was in the same app, and in another one with its own keys', async () => {
  let compared = 0;
  await fc.assert(
    fc.asyncProperty(entities, fc.integer({ min: 1, max: 5_000 }), async (written, chunkBytes) => {
      const { datastore } = await openDatastore();
      const transfer = new DataTransfer(new InProcessRpc([datastoreAdminService(datastore)], systemTimers), systemTimers);
      const kept = new Map<string, Entity>();
      for (const entity of written) {
        try {
          await datastore.commit({ appId: APP }, [{ op: 'upsert', entity: encodeEntity(entity) }]);
          kept.set(encodeKey(entity.key).toString('hex'), entity);
        } catch (error) {
          // What the datastore refuses, by its own rules, is nobody's to export.
          if (!(error instanceof PlatformError) || !['DS_INVALID', 'DS_LIMIT'].includes(error.code)) throw error;
        }
      }
      const lines = await exported(transfer, APP);
      const deletions = [...kept.values()].map(({ key }) => ({ op: 'delete' as const, key: encodeKey(key) }));
      await datastore.commit({ appId: APP }, deletions);
      for (const appId of [APP, 'another']) {
        const result = await transfer.import(appId, chunks(lines, chunkBytes), { mode: 'insert', from: APP, skip: false, signal });
        expect(result).toEqual({ written: kept.size, failures: [] });
        // A key value without a project is stored as one of the app.
        const move = (key: Key): Key => (key.projectId === APP || key.projectId === '' ? { ...key, projectId: appId } : key);
        for (const entity of kept.values()) {
          const { found } = await datastore.lookup({ appId }, [encodeKey(move(entity.key))]);
          expect(found.map((one) => decodeEntity(one.entity))).toEqual([moved(entity, move)]);
          compared++;
        }
      }
      expect(entitiesIn(await exported(transfer, APP))).toEqual(entitiesIn(lines));
      await datastore.close();
    }),
    { numRuns: RUNS },
  );
  expect(compared).toBeGreaterThan(RUNS);
});

function moved(entity: Entity, move: (key: Key) => Key): Entity {
  const ofProperties = (all: Properties): Properties => record(Object.entries(all).map(([name, value]) => [name, ofValue(value)]));
  const ofValue = (value: Value): Value => {
    if (value.kind === 'key') return { ...value, value: move(value.value) };
    if (value.kind === 'array') return { ...value, values: value.values.map(ofValue) };
    if (value.kind !== 'entity') return value;
    const { key, properties: inner } = value.value;
    return { ...value, value: { ...(key ? { key: move(key) } : {}), properties: ofProperties(inner) } };
  };
  return { key: move(entity.key), properties: ofProperties(entity.properties) };
}
