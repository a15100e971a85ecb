import { describe, expect, it } from 'vitest';
import { LIMITS } from '../limits.ts';
import { parseDispatchManifest } from './dispatch-yaml.ts';

const parse = (text: string) => parseDispatchManifest(text, 'dispatch.yaml');
const rule = (url: string): string => `dispatch:\n- url: ${JSON.stringify(url)}\n  service: web\n`;

describe('parseDispatchManifest', () => {
  it('reads rules in their order, host and path apart', () => {
    expect(
      parse(`
dispatch:
- url: "*/favicon.ico"
  service: default
- url: "Simple.Example.com/"
  service: default
- url: "*.example.com/Mobile/*"
  module: mobile
`),
    ).toEqual([
      { url: '*/favicon.ico', host: '*', path: '/favicon.ico', service: 'default' },
      { url: 'Simple.Example.com/', host: 'simple.example.com', path: '/', service: 'default' },
      { url: '*.example.com/Mobile/*', host: '*.example.com', path: '/Mobile/*', service: 'mobile' },
    ]);
  });

  it.each(['', '# nothing\n', 'dispatch:\n', 'dispatch: []\n'])('takes %j for no rules', (text) => expect(parse(text)).toEqual([]));

  it.each(['*/', '*/*', '*shop.example.com/x', 'a-b.c/*', 'localhost/_ah/x'])('accepts the url %s', (url) => {
    expect(parse(rule(url))).toHaveLength(1);
  });

  it.each([
    ['http://a.b/', 'begins with a scheme'],
    ['a.example.com', 'has no path'],
    ['/mobile/*', 'has no host'],
    ['a*.example.com/', '"*" within its host'],
    ['**/', '"*" within its host'],
    ['*/a*/b', '"*" within its path'],
    ['*/**', '"*" within its path'],
    ['127.0.0.1/', 'an address'],
    ['a.b:8080/', 'a port'],
    ['a..b/', 'a host that is none'],
    ['a_b/', 'a host that is none'],
    ['*/a?b=c', 'a character in its path'],
    ['*/a b', 'a character in its path'],
    [`*/${'a'.repeat(LIMITS.dispatchUrlCharactersMax)}`, 'is longer than'],
  ])('refuses the url %s at its place', (url, problem) => {
    expect(() => parse(rule(url))).toThrow(expect.objectContaining({ code: 'MANIFEST_INVALID' }));
    expect(() => parse(rule(url))).toThrow(problem);
    expect(() => parse(rule(url))).toThrow('dispatch.yaml, line 2, column 8');
  });

  it.each([
    ['dispatch:\n- url: "*/"\n', 'line 2, column 3: "service" is missing'],
    ['dispatch:\n- url: "*/"\n  service: a\n  module: a\n', 'line 4, column 3: "module" is the old name'],
    ['dispatch:\n- url: "*/"\n  service: A_B\n', 'line 3, column 12: "service" must be a service\'s name'],
    ['dispatch:\n- url: "*/"\n  servcie: a\n', 'did you mean "service"?'],
    ['dispatch:\n- service: a\n', '"url" is missing'],
    ['dispatch: x\n', 'must be a list of rules'],
    ['rules: []\n', 'unknown element "rules"'],
  ])('refuses %j', (text, problem) => expect(() => parse(text)).toThrow(problem));

  it('takes App Engine’s number of rules, and not one more', () => {
    const rules = (count: number): string => `dispatch:\n${'- {url: "*/", service: a}\n'.repeat(count)}`;
    expect(parse(rules(LIMITS.dispatchRulesMax))).toHaveLength(20);
    expect(() => parse(rules(LIMITS.dispatchRulesMax + 1))).toThrow('at most 20 rules');
  });

  it('wants services that the app has, once it is known which', () => {
    const text = 'dispatch:\n- {url: "*/a", service: web}\n- url: "*/b"\n  module: gone\n';
    expect(parseDispatchManifest(text, 'dispatch.yaml', () => true)).toHaveLength(2);
    expect(() => parseDispatchManifest(text, 'dispatch.yaml', (service) => service === 'web')).toThrow(
      'line 4, column 11: the app has no service "gone"',
    );
  });
});
