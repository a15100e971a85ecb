// What the fake platform holds: enough of everything that each page has something to show.
import { type AdminInstanceView, type AppView, type VersionView } from '../../sdk/contract/admin/admin.ts';
import { type LogRow } from '../../sdk/contract/admin/logs.ts';
import { type EntityView, type JsonKey, type MailView, type MemcacheEntryView } from '../../sdk/contract/admin/data.ts';
import { type IndexView } from '../../sdk/contract/admin/indexes.ts';
import { type AccountView } from '../../sdk/contract/admin/session.ts';
import { type CronJobView, type QueueView, type TaskView } from '../../sdk/contract/admin/tasks.ts';
import { type BillingView, type MetricsPoint, type MetricsView, type QuotaView } from '../../sdk/contract/admin/usage.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

export interface FakeApp {
  view: AppView;
  versions: VersionView[];
  instances: AdminInstanceView[];
  logs: LogRow[];
  entities: EntityView[];
  indexes: IndexView[];
  queues: QueueView[];
  tasks: Map<string, TaskView[]>;
  cron: CronJobView[];
  memcache: Map<string, MemcacheEntryView>;
  mail: MailView[];
  quotas: QuotaView[];
  billing: BillingView;
}

export const entityId = (key: JsonKey): string => Buffer.from(JSON.stringify(key)).toString('base64url');

export const entityName = (key: JsonKey): string =>
  key.path.map(({ kind, id, name }) => `${kind}:${id ?? JSON.stringify(name)}`).join(' / ');

const entity = (path: JsonKey['path'], properties: EntityView['properties'], namespaceId = ''): EntityView => {
  const key: JsonKey = { partitionId: { projectId: 'guestbook', ...(namespaceId === '' ? {} : { namespaceId }) }, path };
  return { id: entityId(key), name: entityName(key), key, properties };
};

const versionView = (appId: string, service: string, version: string, trafficShare: number, ageMs: number, nowMs: number): VersionView => ({
  appId,
  service,
  version,
  url: `http://${version}-dot-${service}-dot-${appId}.localhost:8080/`,
  runtime: 'nodejs',
  createdAtMs: nowMs - ageMs,
  trafficShare,
  shardBy: 'cookie',
  instances: trafficShare > 0 ? 2 : 0,
});

function entities(nowMs: number): EntityView[] {
  const greetings = Array.from({ length: 64 }, (_, index) =>
    entity(
      [
        { kind: 'Guestbook', name: 'main' },
        { kind: 'Greeting', id: String(5_000_000_000_000_000 + index) },
      ],
      {
        author: { stringValue: ['Ada', 'Grace', 'Edsger', 'Barbara'][index % 4] ?? '' },
        content: {
          stringValue: `Greeting number ${index}: hello from the guestbook, with a text that is long enough to be cut.`,
          excludeFromIndexes: true,
        },
        date: { timestampValue: new Date(nowMs - index * HOUR_MS).toISOString() },
        likes: { integerValue: String(index * 7) },
        isPublic: { booleanValue: index % 3 !== 0 },
      },
    ),
  );
  const everything = entity([{ kind: 'Everything', name: 'all types' }], {
    aNull: { nullValue: null },
    aBoolean: { booleanValue: true },
    bigInteger: { integerValue: '9223372036854775807' },
    aDouble: { doubleValue: 2.5 },
    notANumber: { doubleValue: 'NaN' },
    aTimestamp: { timestampValue: '2026-11-26T09:30:00.123456Z' },
    aString: { stringValue: 'plain "text"' },
    aBlob: { blobValue: 'AAECAwQ=' },
    aKey: {
      keyValue: {
        partitionId: { projectId: 'guestbook' },
        path: [
          { kind: 'Guestbook', name: 'main' },
          { kind: 'Greeting', id: '5' },
        ],
      },
    },
    aPlace: { geoPointValue: { latitude: 47.37, longitude: 8.54 } },
    aList: { arrayValue: { values: [{ stringValue: 'one' }, { integerValue: '2' }, { booleanValue: false, excludeFromIndexes: true }] } },
    anEntity: {
      entityValue: { properties: { city: { stringValue: 'Zürich' }, code: { integerValue: '8001' } } },
      excludeFromIndexes: true,
    },
  });
  return [
    entity([{ kind: 'Guestbook', name: 'main' }], { title: { stringValue: 'The main guestbook' } }),
    ...greetings,
    everything,
    entity([{ kind: 'Setting', name: 'theme' }], { value: { stringValue: 'dark' } }, 'staging'),
  ];
}

export function logRow(index: number, atMs: number): LogRow {
  const place = { atMs, service: index % 5 === 0 ? 'worker' : 'default', version: index % 5 === 0 ? 'w1' : 'v3' };
  if (index % 4 === 0) {
    const stream = index % 16 === 0 ? 'system' : index % 12 === 0 ? 'stderr' : 'stdout';
    return { kind: 'app', ...place, instanceId: 'i-5f2c9a', stream, text: `line ${index}: rendered the front page in ${index % 90} ms` };
  }
  const status = index % 23 === 0 ? 500 : index % 9 === 0 ? 404 : 200;
  return {
    kind: 'request',
    ...place,
    instanceId: 'i-5f2c9a',
    requestId: `req-${String(index).padStart(6, '0')}`,
    method: index % 6 === 0 ? 'POST' : 'GET',
    target: index % 9 === 0 ? '/missing.png' : `/guestbook?page=${index}`,
    status,
    latencyMs: 3 + (index % 40) * 1.7,
    responseBytes: 900 + index * 3,
    isLoadingRequest: index % 50 === 1,
    ...(status === 500 ? { errorCode: 'ROUTE_INSTANCE_FAILED' } : {}),
  };
}

function queues(nowMs: number): { queues: QueueView[]; tasks: Map<string, TaskView[]> } {
  const task = (index: number): TaskView => ({
    name: `task-${String(index).padStart(4, '0')}`,
    method: 'POST',
    url: `/work/thumbnail?photo=${index}`,
    etaMs: nowMs + index * 20_000,
    createdAtMs: nowMs - index * 5_000,
    retries: index % 3,
    state: index < 2 ? 'running' : 'waiting',
    bytes: 120 + index,
    ...(index % 3 === 0 ? {} : { lastStatus: 503 }),
  });
  const queue = (name: string, tasks: number, isPaused = false): QueueView => ({
    name,
    rate: '5/s',
    bucketSize: 10,
    concurrentRequestsMax: 10,
    isPaused,
    tasks,
    running: Math.min(2, tasks),
    executedLastMinute: tasks * 3,
    failedLastMinute: tasks > 5 ? 4 : 0,
    ...(tasks > 0 ? { oldestEtaMs: nowMs - 42_000 } : {}),
  });
  return {
    queues: [queue('default', 12), queue('mail', 0), queue('thumbnails', 3, true)],
    tasks: new Map([
      ['default', Array.from({ length: 12 }, (_, index) => task(index))],
      ['mail', []],
      ['thumbnails', [task(3), task(4), task(5)]],
    ]),
  };
}

function mail(nowMs: number): MailView[] {
  return [
    {
      id: 'm-0002',
      sentAtMs: nowMs - 4 * MINUTE_MS,
      from: 'guestbook@guestbook.localhost',
      to: ['ada@example.com', 'grace@example.com'],
      cc: ['team@example.com'],
      bcc: [],
      subject: 'Someone signed your guestbook',
      bytes: 48_211,
      attachments: 1,
      state: 'spooled',
      text: 'Hello Ada,\n\nsomeone signed your guestbook.\n\nYours, the guestbook',
      html: '<html><head><style>p{color:#333}</style></head><body style="font-family:sans-serif"><h1>Hello Ada</h1><p style="font-size:15px">someone <b>signed</b> your guestbook.</p><img src="http://tracker.example/pixel.gif" alt="tracker"><script>parent.document.title="owned"</script><p><a href="http://example.com/" onclick="alert(1)">Read it</a></p></body></html>',
      files: [{ name: 'greeting.png', contentType: 'image/png', bytes: 45_120 }],
    },
    {
      id: 'm-0001',
      sentAtMs: nowMs - 3 * HOUR_MS,
      from: 'guestbook@guestbook.localhost',
      to: ['edsger@example.com'],
      cc: [],
      bcc: [],
      subject: 'Your weekly summary',
      bytes: 2_104,
      attachments: 0,
      state: 'failed',
      text: 'Nothing new this week.',
      files: [],
      failure: '550 5.1.1 No such user here',
    },
  ];
}

export function metrics(minutes: number, nowMs: number): MetricsView {
  const stepMs = minutes <= 10 ? 5_000 : minutes <= 60 ? 30_000 : 600_000;
  const count = Math.round((minutes * MINUTE_MS) / stepMs);
  const first = Math.floor(nowMs / stepMs) * stepMs - (count - 1) * stepMs;
  const points = Array.from({ length: count }, (_, index): MetricsPoint => {
    const wave = 1 + Math.sin(index / 9) + Math.sin(index / 3.1) * 0.3;
    const requests = Math.max(0, Math.round(wave * 60 + (index % 7) * 4));
    return {
      atMs: first + index * stepMs,
      requests,
      clientErrors: Math.round(requests * 0.06),
      serverErrors: index % 31 === 0 ? 6 : 0,
      ...(requests > 0 ? { latencyP50Ms: 6 + wave * 3, latencyP99Ms: 40 + wave * 25 + (index % 13) * 4 } : {}),
      coldStarts: index % 40 === 0 ? 1 : 0,
      cpuMegacycles: requests * 11,
      incomingBytes: requests * 640,
      outgoingBytes: requests * 18_400,
      instances: 1 + Math.round(wave),
      memoryBytes: (1 + Math.round(wave)) * 61 * 1024 * 1024,
    };
  });
  return { stepMs, points };
}

const quota = (resource: QuotaView['resource'], title: string, used: number, free: number): QuotaView => ({
  resource,
  title,
  used,
  free,
  limit: free,
  isExceeded: used >= free,
});

export const dayOf = (nowMs: number, daysAgo = 0): string => new Date(nowMs - daysAgo * DAY_MS).toISOString().slice(0, 10);

/** Midnight of a platform eight hours behind UTC. */
export const resetsAt = (nowMs: number): number => Date.parse(`${dayOf(nowMs)}T00:00:00Z`) + DAY_MS + 8 * HOUR_MS;

function billing(nowMs: number): BillingView {
  return {
    isEnabled: true,
    dailyBudgetMicros: 5_000_000,
    day: dayOf(nowMs),
    resetsAtMs: resetsAt(nowMs),
    chargedMicros: 812_345,
    prices: [
      { resource: 'cpuMegacycles', title: 'CPU time', unit: 'CPU hour', microsPerUnit: 100_000 },
      { resource: 'outgoingBytes', title: 'Outgoing bandwidth', unit: 'GiB', microsPerUnit: 120_000 },
      { resource: 'storedByteHours', title: 'Stored data', unit: 'GiB month', microsPerUnit: 150_000 },
      { resource: 'mailRecipients', title: 'Mail recipients', unit: 'recipient', microsPerUnit: 100 },
    ],
  };
}

export function fakeApp(id: string, nowMs: number): FakeApp {
  const versions = [
    versionView(id, 'default', 'v1', 0, 20 * DAY_MS, nowMs),
    versionView(id, 'default', 'v2', 0.25, 2 * DAY_MS, nowMs),
    versionView(id, 'default', 'v3', 0.75, 3 * HOUR_MS, nowMs),
    versionView(id, 'worker', 'w1', 1, 9 * DAY_MS, nowMs),
  ];
  const work = queues(nowMs);
  return {
    view: {
      id,
      url: `http://${id}.localhost:8080/`,
      createdAtMs: nowMs - 30 * DAY_MS,
      services: [
        { service: 'default', url: `http://${id}.localhost:8080/`, shardBy: 'cookie', split: { v2: 0.25, v3: 0.75 }, versions: 3 },
        { service: 'worker', url: `http://worker-dot-${id}.localhost:8080/`, shardBy: 'cookie', split: { w1: 1 }, versions: 1 },
      ],
      dispatch: [],
    },
    versions,
    instances: ['ready', 'ready', 'starting', 'draining'].map((state, index) => ({
      id: `i-5f2c9${index}`,
      service: index === 3 ? 'worker' : 'default',
      version: index === 3 ? 'w1' : 'v3',
      state,
      pid: 4_100 + index,
      startedAtMs: nowMs - (index + 1) * 17 * MINUTE_MS,
      ...(state === 'starting' ? {} : { readyMs: 61, cpuMicros: 4_230_000 * (index + 1), memoryBytes: (58 + index * 7) * 1024 * 1024 }),
    })),
    logs: Array.from({ length: 1_200 }, (_, index) => logRow(index, nowMs - (1_200 - index) * 700)),
    entities: entities(nowMs),
    indexes: [
      {
        kind: 'Greeting',
        ancestor: true,
        properties: [{ name: 'date', direction: 'desc' }],
        state: 'serving',
        id: 1,
        done: 42,
        estimate: 42,
      },
      {
        kind: 'Greeting',
        ancestor: false,
        properties: [
          { name: 'author', direction: 'asc' },
          { name: 'date', direction: 'desc' },
        ],
        state: 'building',
        id: 2,
        done: 12,
        estimate: 42,
      },
    ],
    queues: work.queues,
    tasks: work.tasks,
    cron: [
      {
        id: 'c-summary',
        description: 'Weekly summary by mail',
        url: '/tasks/summary',
        schedule: 'every monday 09:00',
        timezone: 'Europe/Zurich',
        target: 'worker',
        nextRunAtMs: nowMs + 2 * DAY_MS,
        lastRunAtMs: nowMs - 5 * DAY_MS,
        lastStatus: 200,
        lastLatencyMs: 1_240,
      },
      {
        id: 'c-tidy',
        description: 'Remove old sessions',
        url: '/tasks/tidy',
        schedule: 'every 10 minutes',
        timezone: 'UTC',
        nextRunAtMs: nowMs + 4 * MINUTE_MS,
        lastRunAtMs: nowMs - 6 * MINUTE_MS,
        lastStatus: 500,
        lastLatencyMs: 88,
      },
    ],
    memcache: new Map([
      [
        '/greetings:main',
        { namespace: '', key: 'greetings:main', value: '[{"author":"Ada"}]', encoding: 'json', bytes: 18, expiresAtMs: nowMs + 90_000 },
      ],
    ]),
    mail: mail(nowMs),
    quotas: [
      quota('cpuMegacycles', 'CPU time', 21_400_000, 28_080_000),
      quota('requests', 'Requests', 43_120, 1_000_000),
      quota('outgoingBytes', 'Outgoing bandwidth', 903_000_000, 1_073_741_824),
      quota('incomingBytes', 'Incoming bandwidth', 52_000_000, 1_073_741_824),
      quota('datastoreCalls', 'Datastore calls', 4_120, 50_000),
      quota('mailRecipients', 'Mail recipients', 100, 100),
      { resource: 'urlFetchCalls', title: 'URL fetch calls', used: 12, free: 657_000, isExceeded: false },
    ],
    billing: billing(nowMs),
  };
}

export const fakeAccounts = (nowMs: number): AccountView[] => [
  { email: 'ada@example.com', createdAtMs: nowMs - 20 * DAY_MS, adminOf: ['*'] },
  { email: 'grace@example.com', createdAtMs: nowMs - 2 * DAY_MS, adminOf: ['guestbook', 'shop'] },
  { email: 'edsger@example.com', createdAtMs: nowMs - HOUR_MS, adminOf: [] },
];
