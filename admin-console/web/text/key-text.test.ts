import fc from 'fast-check';
import { expect, it } from 'vitest';
import { keyText, pathOf } from './key-text.ts';

const part = fc.oneof(
  fc.record({ kind: fc.string({ minLength: 1 }), id: fc.bigInt({ min: 1n, max: 2n ** 63n - 1n }).map(String) }),
  fc.record({ kind: fc.string({ minLength: 1 }), name: fc.string({ minLength: 1 }) }),
);

it('reads back every key that it writes', () => {
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 5 }), (path) => {
      expect(pathOf(keyText({ path }))).toEqual(path);
    }),
  );
});

it('writes keys as people read them', () => {
  expect(
    keyText({
      path: [
        { kind: 'Guestbook', name: 'main' },
        { kind: 'Greeting', id: '5' },
      ],
    }),
  ).toBe('Guestbook:"main" / Greeting:5');
  expect(pathOf('Guestbook:"a / b"/Greeting')).toEqual([{ kind: 'Guestbook', name: 'a / b' }, { kind: 'Greeting' }]);
});

it.each([
  '',
  '/',
  'Guestbook / Greeting:5',
  'Guestbook:main',
  'Guestbook:"main',
  'Guestbook:"main" Greeting:5',
  'Greeting:5 /',
  'Greeting:-1',
  '"":5',
])('refuses %j', (text) => {
  expect(pathOf(text)).toBeUndefined();
});
