// ARCHITECTURE.md, "Add a service": the list, held for every service of the table.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { RESOURCE_TERMS } from '../../runtime/billing/resource-terms.ts';
import { QUOTAS_DEFAULT } from '../../runtime/billing/quota-policy.ts';
import { type ApiParts, apiServices } from '../../runtime/platform/api-services.ts';
import { type PlatformSettings } from '../../runtime/platform/settings.ts';
import { ERRORS } from '../../sdk/contract/errors.ts';
import { LIMIT_ROWS } from '../../sdk/contract/limits.ts';
import { root } from './source-files.ts';

/** How a service's limits and errors begin; none where it has nothing of its own to bound or to refuse. */
const NAMES: Readonly<Record<string, { readonly limits?: RegExp; readonly errors?: RegExp; readonly heading: RegExp }>> = {
  app_identity: { heading: /^## Who am I$/m },
  memcache: { limits: /^cache/, errors: /^CACHE_/, heading: /^## Memcache$/m },
  mail: { limits: /^mail/, errors: /^MAIL_/, heading: /^## Mail$/m },
  images: { limits: /^image/, errors: /^IMAGE_/, heading: /^## Images$/m },
  urlfetch: { limits: /^fetch/, errors: /^FETCH_/, heading: /^## Requests to the outside$/m },
  users: { limits: /^login/, errors: /^LOGIN_/, heading: /^## Users$/m },
  taskqueue: { limits: /^(task|queue)/, errors: /^(TASK|QUEUE)_/, heading: /^## Task/m },
};

const read = (...path: string[]): string => readFileSync(join(root, ...path), 'utf8');

const filesBelow = (...path: string[]): string[] =>
  readdirSync(join(root, ...path), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name));

/** Stands for every part that a service is built of: the table is only listed here, never called. */
const anything: unknown = new Proxy(() => anything, { get: (_target, name) => (name === Symbol.toPrimitive ? () => '' : anything) });

const services = apiServices(anything as PlatformSettings, anything as ApiParts);

test('the table has services, each once, and this list knows them', () => {
  const names = services.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  expect(names.filter((name) => NAMES[name] === undefined)).toEqual([]);
});

test('no service of the contract is missing from the table', () => {
  const named = readdirSync(join(root, 'sdk', 'contract', 'services'))
    .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
    .map((file) => serviceNameIn(read('sdk', 'contract', 'services', file)));
  expect(named.sort()).toEqual(services.map(({ name }) => name).sort());
});

function serviceNameIn(source: string): string | undefined {
  return /^export const [A-Z_]+_SERVICE = '([a-z_]+)';$/m.exec(source)?.[1];
}

describe.each(services)('the service $name', ({ name, resource }) => {
  const directory = join(root, 'sdk', 'contract', 'services');
  const contractFile = readdirSync(directory).find((file) => serviceNameIn(readFileSync(join(directory, file), 'utf8')) === name) ?? '';
  const file = basename(contractFile, '.ts');
  const constant = /([A-Z_]+_SERVICE) = /.exec(read('sdk', 'contract', 'services', contractFile))?.[1] ?? '';

  test('has a contract of types and constants only', () => {
    expect(contractFile).not.toBe('');
    const imports = [...read('sdk', 'contract', 'services', contractFile).matchAll(/^import (.*) from/gm)].map(([, what]) => what ?? '');
    expect(imports.filter((what) => !/^(\{ type |type )/.test(what))).toEqual([]);
  });

  test('is served by runtime/services, which checks what comes by schemas', () => {
    const sources = filesBelow('runtime', 'services').filter((path) => !path.endsWith('.test.ts'));
    const serving = sources.filter((path) => new RegExp(`name: ${constant}\\b`).test(readFileSync(path, 'utf8')));
    expect(serving.map((path) => basename(path))).not.toEqual([]);
    const place = serving[0] ?? '';
    expect(place === join(root, 'runtime', 'services', `${file}.ts`) || place.startsWith(join(root, 'runtime', 'services', file))).toBe(
      true,
    );
    expect(readFileSync(place, 'utf8')).toMatch(/\bmethod\(/);
  });

  test('is counted as a resource that has a name, a price and a quota', () => {
    expect(RESOURCE_TERMS[resource]).toMatchObject({ title: expect.any(String) });
    expect(QUOTAS_DEFAULT[resource]).toBeDefined();
  });

  test('has a client that apps may import', () => {
    expect(existsSync(join(root, 'sdk', 'client', `${file}.ts`))).toBe(true);
    expect(read('sdk', 'index.ts')).toContain(`from './client/${file}.ts'`);
    expect(read('sdk', 'client', `${file}.ts`)).toContain(constant);
  });

  test('has its limits and its errors in the tables', () => {
    const { limits, errors } = NAMES[name] ?? {};
    if (limits) expect(Object.keys(LIMIT_ROWS).filter((limit) => limits.test(limit))).not.toEqual([]);
    if (errors) expect(Object.keys(ERRORS).filter((code) => errors.test(code))).not.toEqual([]);
  });

  test('has a section in docs/sdk.md, tests, and a call in every-service.test.ts', () => {
    expect(read('docs', 'sdk.md')).toMatch(NAMES[name]?.heading ?? /$^/);
    const clientName = file.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
    const own = [...filesBelow('runtime'), ...filesBelow('tests')].filter(
      (path) =>
        path.endsWith('.test.ts') &&
        !['every-service.test.ts', 'service-list.test.ts'].includes(basename(path)) &&
        new RegExp(`\\b(${constant}|${clientName}Api|${clientName}\\.\\w+\\()`).test(readFileSync(path, 'utf8')),
    );
    expect(own).not.toEqual([]);
    expect(read('tests', 'integration', 'every-service.test.ts')).toContain(`'${name}'`);
  });
});
