import { describe, expect, it } from 'vitest';
import { encodeEntity, encodeKey } from '../../sdk/contract/entity-proto.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { APP, key } from '../fixture.ts';
import { checkMutation } from './checked-mutation.ts';
import { type Mutation } from './mutation.ts';
import { checkGroup } from './mutation-group.ts';

type Op = Mutation['op'];
const OPS = ['insert', 'update', 'upsert', 'delete'] as const;
const at = key('K', 'a');
const of = (op: Op, rest: object = {}): Mutation =>
  op === 'delete' ? { op, key: encodeKey(at), ...rest } : { op, entity: encodeEntity({ key: at, properties: {} }), ...rest };
const check = (mutations: readonly Mutation[], isAtomic = true): void => {
  checkGroup(
    mutations.map((mutation) => checkMutation(mutation, APP)),
    isAtomic,
  );
};
const invalid = (text: RegExp): unknown => expect.objectContaining({ code: 'DS_INVALID', message: expect.stringMatching(text) as unknown });

describe('mutations of one entity', () => {
  const forbidden = new Set(['insert insert', 'update insert', 'upsert insert', 'delete update']);

  it.each(OPS.flatMap((first) => OPS.map((second) => [first, second] as const)))('%s, then %s', (first, second) => {
    const both = [of(first), of(second)];
    if (forbidden.has(`${first} ${second}`))
      expect(() => check(both)).toThrow(invalid(new RegExp(`cannot ${second} .* after its ${first}`)));
    else expect(() => check(both)).not.toThrow();
    expect(() => check(both, false)).toThrow(
      invalid(/A non-transactional commit may not contain multiple mutations affecting the same entity\./),
    );
  });

  it.each([...forbidden].map((pair) => pair.split(' ') as [Op, Op]))('%s, something between, %s', (first, second) => {
    const between = second === 'insert' ? 'delete' : 'upsert';
    expect(() => check([of(first), of(between), of(second)])).not.toThrow();
    expect(() => check([of('upsert'), of(first), of(second)])).toThrow(invalid(/cannot/));
  });

  it('is one alone, in a commit of mutations that do not belong together', () => {
    expect(() => check([of('upsert')], false)).not.toThrow();
  });

  it('have one base version, where they have any', () => {
    const base = (baseVersion: bigint): Mutation => of('upsert', { baseVersion });
    expect(() => check([base(5n), of('upsert'), base(5n)])).not.toThrow();
    expect(() => check([base(5n), of('upsert'), base(6n)])).toThrow(
      invalid(/Mutations for the same entity must have the same base version\./),
    );
  });

  it('have at most 500 transforms together', () => {
    const transforms = (count: number): Mutation =>
      of('upsert', { transforms: Array.from({ length: count }, () => ({ path: ['n'], kind: 'request-time' })) });
    expect(() => check([transforms(LIMITS.transformsMax - 1), of('upsert'), transforms(1)])).not.toThrow();
    expect(() => check([transforms(LIMITS.transformsMax - 1), of('upsert'), transforms(2)])).toThrow(
      expect.objectContaining({ code: 'DS_LIMIT', message: expect.stringMatching(/at most 500 transforms/) as unknown }),
    );
  });
});
