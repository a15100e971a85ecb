import { describe, expect, it } from 'vitest';
import { type GqlRequest } from './datastore.ts';
import { APP, key, openDatastore, value, where, write } from './fixture.ts';

const request = (text: string, rest: Partial<GqlRequest> = {}): GqlRequest => ({ text, databaseId: '', namespace: '', ...rest });

describe('a GQL statement, as the public API sends it', () => {
  it('is of Cloud GQL alone where that is asked for', async () => {
    const { datastore } = await openDatastore();
    const one = { positional: [{ kind: 'value', value: value(1n) } as const] };
    for (const text of ['SELECT * FROM Kind WHERE n = :1', 'SELECT * FROM Kind LIMIT 1, 2', 'SELECT * FROM Order']) {
      expect(() => datastore.bindGql(APP, request(text, { dialect: 'cloud', ...one }))).toThrow(
        /^GQL query error: (Encountered "|An argument is written)/,
      );
    }
    expect(datastore.bindGql(APP, request('SELECT * FROM Kind WHERE n = :1', one))).toMatchObject({
      query: { filter: where('n', '=', 1n) },
    });
    expect(datastore.bindGql(APP, request('SELECT * FROM Kind WHERE n = @1', { dialect: 'cloud', ...one }))).toMatchObject({
      query: { filter: where('n', '=', 1n) },
    });
  });

  it('may hold no values where that is not allowed, however often it was bound before', async () => {
    const { datastore } = await openDatastore();
    const text = "SELECT * FROM Kind WHERE a = 'Blackwell'";
    expect(datastore.bindGql(APP, request(text))).toMatchObject({ kind: 'query' });
    expect(() => datastore.bindGql(APP, request(text, { allowLiterals: false }))).toThrow(
      /^GQL query error: Disallowed literal: 'Blackwell'\. /,
    );
  });

  it('names the project and database as the caller does, and finds its entities', async () => {
    const { datastore } = await openDatastore();
    const scope = { ...APP, projectId: 'my-project', databaseId: 'second' };
    await datastore.commit(scope, [write('insert', key('Root', 'r', 'Kind', 'a'), {})]);
    for (const literal of ["KEY(Root, 'r')", "KEY(PROJECT('my-project'), Root, 'r')", "KEY(PROJECT('guestbook'), Root, 'r')"]) {
      const answer = await datastore.runGql(scope, request(`SELECT * FROM Kind WHERE __key__ HAS ANCESTOR ${literal}`));
      expect(answer).toMatchObject({ kind: 'query', answer: { results: [{}], query: { databaseId: 'second' } } });
    }
    const bound = datastore.bindGql(scope, request("SELECT * FROM Kind WHERE to = KEY(Root, 'r')"));
    expect(bound).toMatchObject({ query: { filter: { value: { value: { projectId: 'my-project', databaseId: 'second' } } } } });
    expect(() => datastore.bindGql(scope, request('SELECT * FROM Kind', { databaseId: 'third' }))).toThrow(/mismatched databases/);
  });

  it('goes on from cursors that are arguments', async () => {
    const { datastore } = await openDatastore();
    await datastore.commit(APP, [write('insert', key('Kind', 'a'), {}), write('insert', key('Kind', 'b'), {})]);
    const first = await datastore.runGql(
      APP,
      request('SELECT * FROM Kind LIMIT @1', { positional: [{ kind: 'value', value: value(1n) }] }),
    );
    if (first.kind !== 'query') throw new Error('a select');
    const cursor = { kind: 'cursor', cursor: first.answer.endCursor } as const;
    const rest = await datastore.runGql(APP, request('SELECT * FROM Kind OFFSET @c', { named: { c: cursor } }));
    expect(rest).toMatchObject({ answer: { results: [{}], more: 'no-more' } });
    const before = await datastore.runGql(APP, request('SELECT * FROM Kind LIMIT @c', { named: { c: cursor } }));
    expect(before).toMatchObject({ answer: { results: [{}], more: 'after-cursor' } });
  });
});
