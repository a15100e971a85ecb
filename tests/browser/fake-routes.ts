// The admin API over what fake-admin-data.ts made: every route that the console calls, and its refusals.
import { type TrafficRequest } from '../../sdk/contract/admin/admin.ts';
import { isAtLeast, LOG_SEVERITIES, type LogRow } from '../../sdk/contract/admin/logs.ts';
import { type EntityWrite, type GqlRequestView, type JsonKey, type MemcacheEntryWrite } from '../../sdk/contract/admin/data.ts';
import { type AccountChange, type AccountRequest, type AccountView } from '../../sdk/contract/admin/session.ts';
import { type BillingChange, type InvoiceView } from '../../sdk/contract/admin/usage.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { tablets } from './fake-tablets.ts';
import { dayOf, entityId, entityName, type FakeApp, metrics, resetsAt } from './fake-admin-data.ts';

export interface FakeState {
  readonly apps: Map<string, FakeApp>;
  readonly accounts: AccountView[];
  /** Who follows the log takes each new row. */
  readonly followers: Set<(row: LogRow) => void>;
}

export interface FakeRequest {
  readonly query: URLSearchParams;
  readonly body: unknown;
  readonly nowMs: number;
}

/** Lines instead of one value; `followed` keeps the answer open. */
export class LineAnswer {
  readonly rows: readonly LogRow[];
  readonly isFollowed: boolean;
  constructor(rows: readonly LogRow[], isFollowed: boolean) {
    this.rows = rows;
    this.isFollowed = isFollowed;
  }
}

type Handler = (state: FakeState, names: readonly string[], request: FakeRequest) => unknown;
type AppHandler = (app: FakeApp, names: readonly string[], request: FakeRequest, state: FakeState) => unknown;

const ofApp =
  (handler: AppHandler): Handler =>
  (state, [id = '', ...names], request) => {
    const app = state.apps.get(id);
    if (app === undefined) throw new PlatformError('APP_NOT_FOUND', id);
    return handler(app, names, request, state);
  };

function found<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new PlatformError('INVALID_ARGUMENT', `there is no ${what}`);
  return value;
}

function setTraffic(app: FakeApp, service: string, { split }: TrafficRequest): unknown {
  const sum = Object.values(split).reduce((total, share) => total + share, 0);
  if (Math.abs(sum - 1) > 1e-6) throw new PlatformError('INVALID_ARGUMENT', `the shares add up to ${sum}, want 1`);
  app.versions = app.versions.map((each) => (each.service === service ? { ...each, trafficShare: split[each.version] ?? 0 } : each));
  return { versions: app.versions };
}

function deleteVersion(app: FakeApp, service: string, version: string): unknown {
  const victim = found(
    app.versions.find((each) => each.service === service && each.version === version),
    'version',
  );
  if (victim.trafficShare > 0) throw new PlatformError('VERSION_HAS_TRAFFIC', version);
  app.versions = app.versions.filter((each) => each !== victim);
  return {};
}

function logs(app: FakeApp, query: URLSearchParams): LineAnswer {
  const text = query.get('text') ?? '';
  const rows = app.logs.filter(
    (row) =>
      (query.get('source') ?? 'all').replace('all', row.kind) === row.kind &&
      (query.get('service') ?? row.service) === row.service &&
      (query.get('version') ?? row.version) === row.version &&
      isAtLeast(row, LOG_SEVERITIES.find((each) => each === query.get('severity')) ?? 'DEFAULT') &&
      (!query.has('status') || (row.kind === 'request' && String(row.status) === query.get('status'))) &&
      JSON.stringify(row).includes(text),
  );
  return new LineAnswer(rows.slice(-Number(query.get('lines') ?? 100)), query.get('follow') === '1');
}

const kindOf = (key: JsonKey): string => key.path.at(-1)?.kind ?? '';
const namespaceOf = (key: JsonKey): string => key.partitionId?.namespaceId ?? '';

function runGql(app: FakeApp, { gql, namespace = '', pageSize = 50, cursor, explain }: GqlRequestView): unknown {
  if (!/^\s*SELECT\b/i.test(gql)) {
    const word = gql.trim().split(/\s/)[0] ?? '';
    throw new PlatformError('GQL_SYNTAX', `Did you mean SELECT? At line 1, column 1:\n  ${gql.split('\n')[0] ?? ''}\n  ^`, {
      details: { line: 1, column: 1, word },
    });
  }
  const kind = /FROM\s+`?(\w+)/i.exec(gql)?.[1];
  const where = /WHERE\s+(\w+)\s*=\s*'([^']*)'/i.exec(gql);
  const matching = app.entities.filter(
    ({ key, properties }) =>
      (kind === undefined || kindOf(key) === kind) &&
      namespaceOf(key) === namespace &&
      (where === null || properties[where[1] ?? '']?.stringValue === where[2]),
  );
  const plan = {
    scans: [`scan index ${kind ?? '(every kind)'}${where === null ? '' : ` ${where[1] ?? ''} = "${where[2] ?? ''}"`}, ascending`],
    indexRowsRead: matching.length,
    entitiesRead: matching.length,
  };
  if (/COUNT\(\*\)/i.test(gql)) {
    return {
      kind: 'aggregation',
      entities: [],
      values: { count: { integerValue: String(matching.length) } },
      ...(explain ? { plan } : {}),
    };
  }
  const from = Number(cursor ?? 0);
  const limit = Number(/LIMIT\s+(\d+)/i.exec(gql)?.[1] ?? matching.length);
  matching.splice(limit);
  const page = matching.slice(from, from + pageSize);
  return {
    kind: 'entities',
    entities: page,
    ...(from + pageSize < matching.length ? { cursor: String(from + pageSize) } : {}),
    ...(explain ? { plan } : {}),
  };
}

let nextId = 6_000_000_000_000_000;

function writeEntity(app: FakeApp, { key: given, properties, mode }: EntityWrite): unknown {
  const last = given.path.at(-1);
  const isComplete = last?.id !== undefined || last?.name !== undefined;
  const key = isComplete ? given : { ...given, path: [...given.path.slice(0, -1), { kind: last?.kind ?? '', id: String(nextId++) }] };
  const written = { id: entityId(key), name: entityName(key), key, properties };
  const index = app.entities.findIndex(({ name, key: other }) => name === written.name && namespaceOf(other) === namespaceOf(key));
  if (mode === 'insert' && index >= 0) throw new PlatformError('DS_ALREADY_EXISTS');
  if (mode === 'update' && index < 0) throw new PlatformError('DS_NOT_FOUND');
  if (index >= 0) app.entities[index] = { ...written, id: app.entities[index]?.id ?? written.id };
  else app.entities.push(written);
  return app.entities[index >= 0 ? index : app.entities.length - 1];
}

function invoice(app: FakeApp, day: string, nowMs: number): InvoiceView {
  const line = (resource: 'cpuMegacycles' | 'outgoingBytes', title: string, unit: string, microsPerUnit: number, amountMicros: number) => ({
    resource,
    title,
    used: 32_000_000,
    free: 28_080_000,
    billed: 3_920_000,
    unit,
    microsPerUnit,
    amountMicros,
  });
  const lines = [
    line('cpuMegacycles', 'CPU time', 'CPU hour', 100_000, 90_741),
    line('outgoingBytes', 'Outgoing bandwidth', 'GiB', 120_000, 721_604),
  ];
  return {
    appId: app.view.id,
    day,
    lines,
    totalMicros: 812_345,
    rows: Array.from({ length: 6 }, (_, index) => ({
      source: index % 2 === 0 ? 'router' : 'host',
      sequence: 100 + index,
      fromMs: nowMs - (7 - index) * 600_000,
      toMs: nowMs - (6 - index) * 600_000,
      amounts: index % 2 === 0 ? { requests: 812, outgoingBytes: 9_100_200 } : { cpuMegacycles: 5_300_000, instanceSeconds: 1_200 },
    })),
  };
}

function setPaused(app: FakeApp, name: string, isPaused: boolean): unknown {
  app.queues = app.queues.map((queue) => (queue.name === name ? { ...queue, isPaused } : queue));
  return found(
    app.queues.find((queue) => queue.name === name),
    'queue',
  );
}

function dropTasks(app: FakeApp, queue: string, keep: (name: string) => boolean): number {
  const before = app.tasks.get(queue) ?? [];
  const after = before.filter(({ name }) => keep(name));
  app.tasks.set(queue, after);
  app.queues = app.queues.map((each) => (each.name === queue ? { ...each, tasks: after.length, running: 0 } : each));
  return before.length - after.length;
}

const entryKey = (query: URLSearchParams): string => `${query.get('namespace') ?? ''}/${query.get('key') ?? ''}`;

const APP = '/apps/([^/]+)';

/* prettier-ignore */
const ROUTES: readonly (readonly [verb: string, path: string, handler: Handler])[] = [
  ['GET', '/datastore/tablets', (_state, _names, { query, nowMs }) => tablets(query, nowMs)],
  ['GET', '/apps', ({ apps }) => ({ apps: [...apps.values()].map(({ view }) => view) })],
  ['GET', APP, ofApp(({ view }) => view)],
  ['GET', `${APP}/versions`, ofApp(({ versions }) => ({ versions }))],
  ['GET', `${APP}/instances`, ofApp(({ instances }) => ({ instances }))],
  ['DELETE', `${APP}/instances/([^/]+)`, ofApp((app, [id]) => {
    app.instances = app.instances.filter((each) => each.id !== id);
    return {};
  })],
  ['PUT', `${APP}/services/([^/]+)/traffic`, ofApp((app, [service = ''], { body }) => setTraffic(app, service, body as TrafficRequest))],
  ['DELETE', `${APP}/services/([^/]+)/versions/([^/]+)`, ofApp((app, [service = '', version = '']) => deleteVersion(app, service, version))],
  ['GET', `${APP}/logs`, ofApp((app, _, { query }) => logs(app, query))],
  ['GET', `${APP}/datastore/namespaces`, ofApp(({ entities }) => ({ namespaces: [...new Set(['', ...entities.map(({ key }) => namespaceOf(key))])] }))],
  ['GET', `${APP}/datastore/kinds`, ofApp(({ entities }, _, { query }) => ({
    kinds: [...new Set(entities.filter(({ key }) => namespaceOf(key) === (query.get('namespace') ?? '')).map(({ key }) => kindOf(key)))].sort().map((kind) => ({ kind })),
  }))],
  ['GET', `${APP}/datastore/indexes`, ofApp(({ indexes }) => ({ indexes }))],
  ['POST', `${APP}/datastore/query`, ofApp((app, _, { body }) => runGql(app, body as GqlRequestView))],
  ['GET', `${APP}/datastore/entities/([^/]+)`, ofApp(({ entities }, [id]) => found(entities.find((each) => each.id === id), 'entity'))],
  ['PUT', `${APP}/datastore/entities`, ofApp((app, _, { body }) => writeEntity(app, body as EntityWrite))],
  ['DELETE', `${APP}/datastore/entities/([^/]+)`, ofApp((app, [id]) => {
    app.entities = app.entities.filter((each) => each.id !== id);
    return {};
  })],
  ['GET', `${APP}/memcache`, ofApp(({ memcache }) => ({
    hits: 91_230, misses: 1_204, byteHits: 81_200_000, items: memcache.size, bytes: memcache.size * 9_120, bytesMax: 64 * 1024 * 1024, oldestItemAgeMs: 86_000,
  }))],
  ['GET', `${APP}/memcache/entry`, ofApp(({ memcache }, _, { query }) => {
    const entry = memcache.get(entryKey(query));
    if (entry === undefined) throw new PlatformError('NOT_FOUND', query.get('key') ?? '');
    return entry;
  })],
  ['PUT', `${APP}/memcache/entry`, ofApp(({ memcache }, _, { body, nowMs }) => {
    const { namespace, key, value, expirationSeconds } = body as MemcacheEntryWrite;
    const entry = { namespace, key, value, encoding: 'text' as const, bytes: value.length, ...(expirationSeconds > 0 ? { expiresAtMs: nowMs + expirationSeconds * 1_000 } : {}) };
    memcache.set(`${namespace}/${key}`, entry);
    return entry;
  })],
  ['DELETE', `${APP}/memcache/entry`, ofApp(({ memcache }, _, { query }) => {
    memcache.delete(entryKey(query));
    return {};
  })],
  ['POST', `${APP}/memcache/flush`, ofApp(({ memcache }) => {
    memcache.clear();
    return {};
  })],
  ['GET', `${APP}/mail`, ofApp(({ mail }) => ({ messages: mail }))],
  ['GET', `${APP}/mail/([^/]+)`, ofApp(({ mail }, [id]) => found(mail.find((each) => each.id === id), 'message'))],
  ['DELETE', `${APP}/mail/([^/]+)`, ofApp((app, [id]) => {
    app.mail = app.mail.filter((each) => each.id !== id);
    return {};
  })],
  ['GET', `${APP}/queues`, ofApp(({ queues }) => ({ queues }))],
  ['GET', `${APP}/queues/([^/]+)/tasks`, ofApp(({ tasks }, [queue = '']) => ({ tasks: tasks.get(queue) ?? [] }))],
  ['POST', `${APP}/queues/([^/]+)/pause`, ofApp((app, [queue = '']) => setPaused(app, queue, true))],
  ['POST', `${APP}/queues/([^/]+)/resume`, ofApp((app, [queue = '']) => setPaused(app, queue, false))],
  ['POST', `${APP}/queues/([^/]+)/purge`, ofApp((app, [queue = '']) => ({ purged: dropTasks(app, queue, () => false) }))],
  ['POST', `${APP}/queues/([^/]+)/tasks/([^/]+)/run`, ofApp(() => ({}))],
  ['DELETE', `${APP}/queues/([^/]+)/tasks/([^/]+)`, ofApp((app, [queue = '', task]) => {
    dropTasks(app, queue, (name) => name !== task);
    return {};
  })],
  ['GET', `${APP}/cron`, ofApp(({ cron }) => ({ jobs: cron }))],
  ['POST', `${APP}/cron/([^/]+)/run`, ofApp((app, [id], { nowMs }) => {
    app.cron = app.cron.map((job) => (job.id === id ? { ...job, lastRunAtMs: nowMs, lastStatus: 200 } : job));
    return found(app.cron.find((job) => job.id === id), 'cron job');
  })],
  ['GET', `${APP}/metrics`, ofApp((_app, _names, { query, nowMs }) => metrics(Number(query.get('minutes') ?? 10), nowMs))],
  ['GET', `${APP}/quotas`, ofApp(({ quotas }, _, { nowMs }) => ({ day: dayOf(nowMs), resetsAtMs: resetsAt(nowMs), quotas }))],
  ['GET', `${APP}/usage`, ofApp((_app, _names, { query, nowMs }) => ({
    days: Array.from({ length: Number(query.get('days') ?? 14) }, (_, index) => ({
      day: dayOf(nowMs, index),
      amounts: { requests: 43_120 - index * 800, cpuMegacycles: 32_000_000, outgoingBytes: 900_000_000 },
      chargeMicros: Math.round(812_345 * (1 + Math.sin(index)) * 0.8),
    })),
  }))],
  ['GET', `${APP}/billing`, ofApp(({ billing }) => billing)],
  ['PUT', `${APP}/billing`, ofApp((app, _, { body }) => (app.billing = { ...app.billing, ...(body as BillingChange) }))],
  ['GET', `${APP}/invoice`, ofApp((app, _, { query, nowMs }) => invoice(app, query.get('day') ?? '', nowMs))],
  ['GET', '/accounts', ({ accounts }) => ({ accounts })],
  ['POST', '/accounts', ({ accounts }, _, { body, nowMs }) => {
    const { email, adminOf = [] } = body as AccountRequest;
    accounts.push({ email, adminOf, createdAtMs: nowMs });
    return accounts.at(-1);
  }],
  ['PATCH', '/accounts/([^/]+)', ({ accounts }, [email], { body }) => {
    const index = accounts.findIndex((each) => each.email === email);
    const { adminOf } = body as AccountChange;
    const changed = { ...found(accounts[index], 'account'), ...(adminOf === undefined ? {} : { adminOf }) };
    accounts[index] = changed;
    return changed;
  }],
  ['DELETE', '/accounts/([^/]+)', ({ accounts }, [email]) => {
    accounts.splice(accounts.findIndex((each) => each.email === email), 1);
    return {};
  }],
];

/** What the admin API answers. Throws NOT_FOUND for a route that it does not have. */
export function answer(state: FakeState, verb: string, path: string, request: FakeRequest): unknown {
  for (const [wanted, pattern, handler] of ROUTES) {
    const match = wanted === verb ? new RegExp(`^${pattern}$`).exec(path) : null;
    if (match !== null) return handler(state, match.slice(1).map(decodeURIComponent), request);
  }
  throw new PlatformError('NOT_FOUND', `${verb} ${path}`);
}
