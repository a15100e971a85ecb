import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PlatformError } from '../errors.ts';
import { IGNORED_ELEMENTS, REFUSED_ELEMENTS, REFUSED_HANDLER_ELEMENTS, REFUSED_SCALING_ELEMENTS } from './app-yaml-elements.ts';
import { APP_YAML_NAMES, HANDLER_NAMES } from './app-yaml-schema.ts';
import { parseAppManifest, readAppManifest } from './app-yaml.ts';
import { INSTANCE_CLASSES } from './instance-class.ts';
import { SCALING_ELEMENTS } from './scaling-yaml.ts';

const problemOf = (text: string): string => {
  try {
    parseAppManifest(text, 'app.yaml');
  } catch (error) {
    if (error instanceof PlatformError && error.code === 'MANIFEST_INVALID') return error.message;
    throw error;
  }
  throw new Error('was accepted');
};

describe('parseAppManifest', () => {
  it('fills in the defaults of App Engine', () => {
    expect(parseAppManifest('runtime: nodejs\n', 'app.yaml')).toEqual({
      runtime: 'nodejs',
      service: 'default',
      instanceClass: 'F1',
      environment: {},
      buildEnvironment: {},
      handlers: [],
      defaultExpirationSeconds: 600,
      errorPages: [],
      warmup: false,
      scaling: {
        kind: 'automatic',
        minInstances: 0,
        maxInstances: 20,
        minIdleInstances: 0,
        maxConcurrentRequests: 10,
        targetThroughputUtilization: 0.6,
        targetCpuUtilization: 0.6,
      },
    });
  });

  it('reads every supported element', () => {
    const text = `
runtime: nodejs20
service: api
env: standard
entrypoint: node server.js --fast
instance_class: F2
default_expiration: "4d 5h"
inbound_services: [warmup]
error_handlers:
- file: errors/any.html
- {error_code: over_quota, file: quota.json, mime_type: application/json}
- {error_code: timeout, file: slow.html}
env_variables:
  ONE: 1.0
  TRUTH: yes
  OCTAL: 0644
  TEXT: "a: b"
build_env_variables: {NODE_OPTIONS: --max-old-space-size=512}
handlers:
- url: /static
  static_dir: ./public/
  expiration: 30m
  http_headers: {X-Frame-Options: DENY}
- url: /(.*\\.(gif|png))
  static_files: images/\\1
  upload: images/.*\\.(gif|png)
  mime_type: image/png
  require_matching_file: true
- url: /.*
  script: auto
  secure: always
  redirect_http_response_code: 301
  login: admin
  auth_fail_action: unauthorized
automatic_scaling:
  min_instances: 1
  max_instances: 5
  min_idle_instances: automatic
  max_idle_instances: 3
  max_concurrent_requests: 80
  target_cpu_utilization: 0.75
  target_throughput_utilization: .5
  min_pending_latency: 30ms
  max_pending_latency: 1.5s
`;
    expect(parseAppManifest(text, 'app.yaml')).toEqual({
      runtime: 'nodejs20',
      service: 'api',
      entrypoint: 'node server.js --fast',
      instanceClass: 'F2',
      environment: { ONE: '1.0', TRUTH: 'yes', OCTAL: '0644', TEXT: 'a: b' },
      buildEnvironment: { NODE_OPTIONS: '--max-old-space-size=512' },
      defaultExpirationSeconds: 4 * 86_400 + 5 * 3_600,
      errorPages: [
        { cause: 'default', file: 'errors/any.html', mimeType: 'text/html; charset=utf-8' },
        { cause: 'over_quota', file: 'quota.json', mimeType: 'application/json' },
        { cause: 'timeout', file: 'slow.html', mimeType: 'text/html; charset=utf-8' },
      ],
      warmup: true,
      handlers: [
        {
          url: '/static',
          target: { kind: 'static-dir', directory: 'public' },
          secure: 'optional',
          redirectStatus: 302,
          login: 'optional',
          authFailAction: 'redirect',
          expirationSeconds: 1_800,
          httpHeaders: { 'X-Frame-Options': 'DENY' },
          requireMatchingFile: false,
        },
        {
          url: '/(.*\\.(gif|png))',
          target: { kind: 'static-files', path: 'images/\\1', upload: 'images/.*\\.(gif|png)' },
          secure: 'optional',
          redirectStatus: 302,
          login: 'optional',
          authFailAction: 'redirect',
          mimeType: 'image/png',
          requireMatchingFile: true,
        },
        {
          url: '/.*',
          target: { kind: 'script' },
          secure: 'always',
          redirectStatus: 301,
          login: 'admin',
          authFailAction: 'unauthorized',
          requireMatchingFile: false,
        },
      ],
      scaling: {
        kind: 'automatic',
        minInstances: 1,
        maxInstances: 5,
        minIdleInstances: 0,
        maxIdleInstances: 3,
        maxConcurrentRequests: 80,
        targetThroughputUtilization: 0.5,
        targetCpuUtilization: 0.75,
        minPendingLatencyMs: 30,
        maxPendingLatencyMs: 1_500,
      },
    });
  });

  it.each([
    ['basic_scaling: {max_instances: 11}', { kind: 'basic', maxInstances: 11, idleTimeoutMs: 300_000 }, 'B2'],
    ['basic_scaling: {max_instances: 99, idle_timeout: 10m}', { kind: 'basic', maxInstances: 20, idleTimeoutMs: 600_000 }, 'B2'],
    [
      'basic_scaling: {max_instances: 1, idle_timeout: 45s}\ninstance_class: B8',
      { kind: 'basic', maxInstances: 1, idleTimeoutMs: 45_000 },
      'B8',
    ],
    ['manual_scaling: {instances: 3}', { kind: 'manual', instances: 3 }, 'B2'],
    ['manual_scaling: {instances: 20}\ninstance_class: B1', { kind: 'manual', instances: 20 }, 'B1'],
  ])('reads %j', (lines, scaling, instanceClass) => {
    expect(parseAppManifest(`runtime: nodejs\n${lines}\n`, 'app.yaml')).toMatchObject({ scaling, instanceClass });
  });

  it('points at an unknown element and names the nearest known one', () => {
    expect(problemOf('runtime: nodejs\nhandler:\n- url: /.*\n')).toBe(
      [
        'The file is not valid: app.yaml, line 2, column 1: unknown element "handler"; did you mean "handlers"?',
        '  2 | handler:',
        '    | ^',
      ].join('\n'),
    );
  });

  it('points at the value that does not fit', () => {
    expect(problemOf('runtime: nodejs\nautomatic_scaling:\n  max_instances: many\n')).toBe(
      [
        'The file is not valid: app.yaml, line 3, column 18: "max_instances" must be a whole number from 0 to 2147483647, not "many"',
        '  3 |   max_instances: many',
        '    |                  ^',
      ].join('\n'),
    );
  });

  it('points at the start when something is missing', () => {
    expect(problemOf('# nothing here yet\nservice: api\n')).toBe(
      [
        'The file is not valid: app.yaml, line 2, column 1: "runtime" is missing: it must be the name of a language\'s runtime, such as nodejs',
        '  2 | service: api',
        '    | ^',
      ].join('\n'),
    );
  });

  it.each([
    ['', /line 1, column 1: the file is empty/],
    ['- a\n', /the file must be a mapping/],
    ['runtime: nodejs\nruntime: python\n', /line 2, column 1: "runtime" stands here twice/],
    ['runtime:\n', /line 1, column 1: "runtime" has no value/],
    ['runtime: Node JS\n', /line 1, column 10: "runtime" must be/],
    ['runtime: nodejs\n\thandlers: 1\n', /line 2, column 1: a tab stands/],
    ['runtime: "nodejs\n', /closing "quote/],
    ['runtime: a: b\n', /second ":" on one line/],
    ['runtime: nodejs\n---\nruntime: x\n', /a second document/],
    ['runtime: !!js/function x\n', /line 1, column 10: custom tags are not allowed|not allowed here/],
    ['runtime: !danger x\n', /custom tags are not allowed/],
    ['runtime: *x\n', /the alias "\*x" has no anchor/],
    ['runtime: nodejs\nversion: v1\n', /"version" is not allowed in the file; name the version with --version/],
    ['runtime: nodejs\nmanual_scaling: {instances: 0}\n', /"instances" must be a whole number from 1 to 20, not "0"/],
    ['runtime: nodejs\nmanual_scaling: {}\n', /"instances" is missing/],
    ['runtime: nodejs\nbasic_scaling: {idle_timeout: 5m}\n', /"max_instances" is missing/],
    ['runtime: nodejs\nbasic_scaling: {max_instances: 1, idle_timeout: 1.5m}\n', /"idle_timeout" must be a time such as "30s"/],
    ['runtime: nodejs\nbasic_scaling: {max_instances: 1, idle_timeout: 0s}\n', /"idle_timeout" must be/],
    [
      'runtime: nodejs\nbasic_scaling: {max_instance: 1}\n',
      /unknown element "max_instance" in "basic_scaling"; did you mean "max_instances"/,
    ],
    [
      'runtime: nodejs\nbasic_scaling: {max_instances: 1}\nmanual_scaling: {instances: 1}\n',
      /line 3, column 17: "manual_scaling" stands beside another way of scaling/,
    ],
    ['runtime: nodejs\nautomatic_scaling: {}\nbasic_scaling: {max_instances: 1}\n', /"basic_scaling" stands beside another/],
    ['runtime: nodejs\ninstance_class: B2\n', /"instance_class" is B2, and automatic scaling takes one of F1, F2, F4, F4_1G/],
    [
      'runtime: nodejs\ninstance_class: F1\nmanual_scaling: {instances: 1}\n',
      /"instance_class" is F1, and manual scaling takes one of B1, B2, B4, B4_1G, B8/,
    ],
    ['runtime: nodejs\ninstance_class: F8\n', /"instance_class" must be "F1"/],
    ['runtime: nodejs\nenv: flex\n', /"env" must be "standard"/],
    ['runtime: nodejs\nerror_handlers:\n- error_code: 404\n  file: x.html\n', /line 3, column 15: "error_code" must be "default"/],
    ['runtime: nodejs\nerror_handlers:\n- error_code: timeout\n', /"file" is missing/],
    ['runtime: nodejs\nerror_handlers:\n- file: ../x.html\n', /"file" must be a path within the app/],
    [
      'runtime: nodejs\nerror_handlers:\n- file: a.html\n- error_code: default\n  file: b.html\n',
      /line 4, column 15: "error_code" has a second page/,
    ],
    ['runtime: nodejs\nerror_handlers:\n- fiel: a.html\n', /did you mean "file"/],
    ['runtime: nodejs\nservice: Api\n', /"service" must be a service's name/],
    ['runtime: nodejs\nservice: ah-x\n', /"service" must be/],
    ['runtime: nodejs\nenv_variables: {GAE_X: 1}\n', /"GAE_X" begins with "GAE"/],
    ['runtime: nodejs\nenv_variables: {PORT: 80}\n', /"PORT" is set by the platform/],
    ['runtime: nodejs\nenv_variables: {A-B: 1}\n', /"A-B" is not a variable's name/],
    ['runtime: nodejs\nenv_variables: {__proto__: 1}\n', /"__proto__" is not allowed/],
    ['runtime: nodejs\nhandlers: {}\n', /"handlers" must be a list/],
    ['runtime: nodejs\nhandlers:\n- script: auto\n', /line 3, column 3: "url" is missing/],
    [
      'runtime: nodejs\nhandlers:\n- url: ^/x\n  script: auto\n',
      /line 3, column 8: "url" is not usable: a pattern matches|begins with "\/"/,
    ],
    ['runtime: nodejs\nhandlers:\n- url: /(a**\n  script: auto\n', /follows another repeat/],
    ['runtime: nodejs\nhandlers:\n- url: /x\n', /has no target/],
    ['runtime: nodejs\nhandlers:\n- url: /x\n  script: auto\n  static_dir: y\n', /several targets/],
    ['runtime: nodejs\nhandlers:\n- url: /x\n  static_dir: ../y\n', /"static_dir" must be a path within the app/],
    ['runtime: nodejs\nhandlers:\n- url: /x/(.*)\n  static_dir: y\n', /plain prefix/],
    ['runtime: nodejs\nhandlers:\n- url: /x\n  static_files: y\n', /needs "upload:"/],
    ['runtime: nodejs\nhandlers:\n- url: /x\n  static_files: y/\\1\n  upload: y\n', /names group \\1/],
    [
      'runtime: nodejs\nhandlers:\n- url: /x\n  script: auto\n  login: yes\n',
      /"login" must be one of optional, required, admin|"login" must be/,
    ],
    [
      'runtime: nodejs\nhandlers:\n- url: /x\n  script: auto\n  auth_fail_action: unauthorized\n',
      /"auth_fail_action" needs "login: required"/,
    ],
    ['runtime: nodejs\nhandlers:\n- url: /x\n  script: auto\n  login: admin\n  auth_fail_action: open\n', /"auth_fail_action" must be/],
    ['runtime: nodejs\nhandlers:\n- url: /x\n  script: auto\n  mime_type: a\/b\n', /works only for static files/],
    ['runtime: nodejs\nhandlers:\n- url: /x\n  static_dir: y\n  http_headers: {Content-Length: 1}\n', /"Content-Length" must not be set/],
    ['runtime: nodejs\nhandlers:\n- url: /x\n  static_dir: y\n  http_headers: {X: "a\\r\\nb"}\n', /printable/],
    ['runtime: nodejs\ndefault_expiration: 5 hours\n', /"default_expiration" must be a time/],
    ['runtime: nodejs\nautomatic_scaling: {min_instances: 21}\n', /at most 20 instances/],
    ['runtime: nodejs\nautomatic_scaling: {min_pending_latency: 1.5ms}\n', /"min_pending_latency" must be/],
    ['runtime: nodejs\nautomatic_scaling: {target_cpu_utilization: 0.2}\n', /a number from 0.5 to 0.95/],
    ['runtime: nodejs\nautomatic_scaling: {cool_down_period_sec: 60}\n', /flexible environment/],
    [`x: ${'a'.repeat(300_000)}`, /the file has 300003 bytes/],
  ])('refuses %j', (text, problem) => {
    expect(problemOf(text)).toMatch(problem);
  });

  it('refuses an alias bomb and deep nesting at once', () => {
    const bomb = ['a: &a [x,x,x,x,x,x,x,x,x]'];
    for (let level = 1; level < 12; level++) {
      const before = String.fromCharCode(96 + level);
      bomb.push(`${String.fromCharCode(97 + level)}: &${String.fromCharCode(97 + level)} [${Array(9).fill(`*${before}`).join(',')}]`);
    }
    const startMs = performance.now();
    expect(problemOf(bomb.join('\n'))).toMatch(/more than 20000 values/);
    expect(problemOf('['.repeat(100_000))).toMatch(/nested deeper/);
    expect(problemOf('a: &a\n  b: *a\n')).toMatch(/nested deeper|no anchor/);
    expect(performance.now() - startMs).toBeLessThan(5_000);
  });

  it('keeps what it shows of a hostile line short and free of control characters', () => {
    const message = problemOf(`runtime: nodejs\n"\u001b[31m${'x'.repeat(50_000)}": 1\n`);
    expect(message.length).toBeLessThan(1_000);
    expect(message).not.toContain('\u001b');
  });

  it('ends with a manifest or MANIFEST_INVALID whatever the text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'grapheme', maxLength: 200 }), yamlish), (text) => {
        try {
          parseAppManifest(text, 'app.yaml');
        } catch (error) {
          expect(error).toBeInstanceOf(PlatformError);
          expect((error as PlatformError).code).toBe('MANIFEST_INVALID');
        }
      }),
      { numRuns: 500 },
    );
  });

  it('tells what has no effect', () => {
    const { notes } = readAppManifest('runtime: nodejs\nvpc_access: {x: 1}\nautomatic_scaling: {max_instances: 100}\n', 'app.yaml');
    expect(notes).toEqual([
      '"vpc_access" has no effect: there is no VPC; the URL-fetch rules decide what an app reaches',
      '"max_instances" is 100; this platform runs at most 20 instances of a version',
    ]);
  });
});

const yamlish = fc
  .array(
    fc.constantFrom(
      'runtime',
      'handlers',
      ': ',
      '\n',
      '- ',
      '  ',
      '{',
      '}',
      '[',
      ']',
      '&a ',
      '*a',
      '"',
      "'",
      '|',
      '>',
      '!x ',
      '? ',
      '#',
      'url',
      '/.*',
    ),
    {
      maxLength: 40,
    },
  )
  .map((parts) => parts.join(''));

describe('docs/app-yaml.md', () => {
  it('explains every element', () => {
    const page = readFileSync(new URL('../../../docs/app-yaml.md', import.meta.url), 'utf8');
    const names = [
      ...[APP_YAML_NAMES, HANDLER_NAMES, ...Object.values(SCALING_ELEMENTS)].flat(),
      ...INSTANCE_CLASSES.keys(),
      ...[IGNORED_ELEMENTS, REFUSED_ELEMENTS, REFUSED_HANDLER_ELEMENTS, REFUSED_SCALING_ELEMENTS].flatMap((table) => Object.keys(table)),
    ];
    expect(names.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
  });
});
