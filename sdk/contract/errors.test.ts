import { expect, test } from 'vitest';
import { errorBody, errorFromBody, PlatformError } from './errors.ts';

test.each([
  ['without a reason', new PlatformError('DS_LIMIT')],
  ['with one', new PlatformError('DS_LIMIT', 'at most 5', { details: { max: 5 } })],
  [
    'in words of its own',
    Object.assign(new PlatformError('DS_NEED_INDEX'), { message: 'no matching index found. recommended index is:\n- kind: K\n' }),
  ],
])('an error %s says the same on the other side of a wire', (_, error) => {
  const arrived = errorFromBody(JSON.parse(JSON.stringify(errorBody(error))) as object);
  expect([arrived.code, arrived.message, arrived.details]).toEqual([error.code, error.message, error.details]);
});

test('an error of an unknown code is INTERNAL and keeps its text', () => {
  expect(errorFromBody({ code: 'NEW', message: 'unheard of' })).toMatchObject({
    code: 'INTERNAL',
    message: expect.stringContaining('unheard of') as string,
  });
  expect(errorFromBody({})).toMatchObject({ code: 'INTERNAL', details: {} });
});
