import { expect, it } from 'vitest';
import { codeOf } from './sign-in-link.ts';

it.each([
  ['#code=abc', 'abc'],
  ['http://localhost:8000/sign-in#code=a%2Bb', 'a+b'],
  [' http://localhost:8000/sign-in?next=%2F#code=abc \n', 'abc'],
  ['', undefined],
  ['#other=1', undefined],
  ['#code=%E0%A4', undefined],
])('the code of %j is %j', (link, code) => {
  expect(codeOf(link)).toBe(code);
});
