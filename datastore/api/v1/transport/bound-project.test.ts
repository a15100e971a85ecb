import { expect, test } from 'vitest';
import { boundProject } from './bound-project.ts';

const ofShop = boundProject('shop');

test('leads to its own project', () => {
  expect(ofShop('shop')).toBe('shop');
  expect(() => ofShop('')).toThrow(expect.objectContaining({ code: 'DS_INVALID', message: expect.stringContaining('Missing project id') }));
});

test.each(['blog', 'no-such-app', 'Shop', 'shop ', '~system', 'a\u0007b'])(
  'does not lead to %j, in the same words whether it exists or not',
  (id) => {
    const refusal = `The project is out of reach: this token is bound to the project "shop", and the request is for ${JSON.stringify(id)}. `;
    expect(() => ofShop(id)).toThrow(expect.objectContaining({ code: 'V1_PROJECT_FORBIDDEN', message: expect.stringContaining(refusal) }));
  },
);

test('repeats no more of a name than it needs', () => {
  expect(() => ofShop('x'.repeat(100_000))).toThrow(expect.objectContaining({ message: expect.stringMatching(/^.{1,500}$/) }));
});
