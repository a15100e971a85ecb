// `appengine datastore …`: GQL, and what there is to ask about.
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import {
  type EntityView,
  type EntityWrite,
  type GqlAnswerView,
  type GqlRequestView,
  type JsonKey,
  type JsonValue,
  type KindView,
} from '../contract/admin/data.ts';
import { PlatformError } from '../contract/errors.ts';
import { LIMITS } from '../contract/limits.ts';
import { type CommandContext } from './command-context.ts';
import { gqlBindings } from './gql-bindings.ts';
import { absoluteTime } from './read-time.ts';
import { formatCount, formatTable } from './table.ts';
import { withoutControl } from './terminal.ts';

/** Of one value in a table; the rest of it is cut. */
const CELL_CHARACTERS_MAX = 60;
const COLUMNS_MAX = 8;

export interface QueryFlags {
  readonly app: string;
  readonly namespace: string;
  readonly limit: string;
  readonly bind: readonly string[];
  readonly explain?: boolean;
  readonly readTime?: string;
}

/** Prints up to `--limit` results, asking for page after page. With --json one document, as the API answers one page. */
export async function queryDatastore(gql: string, flags: QueryFlags, context: CommandContext): Promise<void> {
  if (!/^[1-9]\d{0,5}$/.test(flags.limit)) throw new PlatformError('USAGE', `--limit is "${flags.limit}", want a number from 1`);
  const statement = await statementFrom(gql, context);
  const readTime = flags.readTime === undefined ? undefined : absoluteTime(flags.readTime, context.clock.nowMs());
  const answer = await allPages(statement, { ...flags, ...(readTime === undefined ? {} : { readTime }) }, Number(flags.limit), context);
  const { terminal, json } = context;
  if (json) {
    terminal.printJson(answer);
    return;
  }
  if (answer.values) {
    for (const [name, value] of Object.entries(answer.values)) terminal.print(`${withoutControl(name)}  ${cell(value)}`);
  } else if (answer.entities.length === 0) terminal.say('No results.');
  else terminal.print(entityTable(answer.entities));
  if (answer.cursor !== undefined) terminal.say(`There may be more than ${formatCount(answer.entities.length, 'result')}: raise --limit.`);
  if (answer.plan) {
    const { scans, indexRowsRead, entitiesRead } = answer.plan;
    terminal.say('Plan:');
    for (const scan of scans) terminal.say(`  ${withoutControl(scan)}`);
    terminal.say(`  read ${formatCount(indexRowsRead, 'index row')} and ${formatCount(entitiesRead, 'entity', 'entities')}`);
  }
}

export async function listKinds(flags: { app: string; namespace: string }, { client, terminal, json }: CommandContext): Promise<void> {
  const query = new URLSearchParams({ namespace: flags.namespace });
  const answer = await client.call<{ kinds: KindView[] }>('GET', `${pathOf(flags.app)}/kinds?${query.toString()}`);
  if (json) terminal.printJson(answer);
  else if (answer.kinds.length === 0) terminal.say('No entities in this namespace.');
  else for (const { kind } of answer.kinds) terminal.print(withoutControl(kind));
}

export async function listNamespaces(app: string, { client, terminal, json }: CommandContext): Promise<void> {
  const answer = await client.call<{ namespaces: string[] }>('GET', `${pathOf(app)}/namespaces`);
  if (json) terminal.printJson(answer);
  else if (answer.namespaces.length === 0) terminal.say('No entities yet.');
  else for (const namespace of answer.namespaces) terminal.print(namespace === '' ? '(default)' : namespace);
}

export async function getEntity(id: string, app: string, { client, terminal }: CommandContext): Promise<void> {
  terminal.printJson(await client.call<EntityView>('GET', `${pathOf(app)}/entities/${encodeURIComponent(id)}`));
}

export async function deleteEntity(id: string, app: string, { client, terminal, json }: CommandContext): Promise<void> {
  await client.call('DELETE', `${pathOf(app)}/entities/${encodeURIComponent(id)}`);
  if (json) terminal.printJson({ deleted: id });
  else terminal.print(`Deleted ${id}.`);
}

/** Writes the entity that a file, or `-` for standard input, holds as `datastore get` prints it. */
export async function putEntity(
  file: string,
  flags: { app: string; mode: string },
  { client, terminal, json, workingDirectory, readInput }: CommandContext,
): Promise<void> {
  const { mode } = flags;
  if (mode !== 'insert' && mode !== 'update' && mode !== 'upsert')
    throw new PlatformError('USAGE', `--mode is "${mode}", want insert, update or upsert`);
  const content = file === '-' ? await readInput() : await readTextFile(resolve(workingDirectory, file), file);
  const { key, properties, version } = parseEntity(content, file);
  const write = { key, properties, mode, ...(version === undefined ? {} : { version }) } as EntityWrite;
  const written = await client.call<EntityView>('PUT', `${pathOf(flags.app)}/entities`, { json: write });
  if (json) terminal.printJson(written);
  else terminal.print(`Wrote ${withoutControl(written.name)} (${written.id}).`);
}

/** `-` is standard input and `@FILE` a file: no statement begins with either. */
async function statementFrom(given: string, { workingDirectory, readInput }: CommandContext): Promise<string> {
  if (given === '-') return readInput();
  if (!given.startsWith('@')) return given;
  return readTextFile(resolve(workingDirectory, given.slice(1)), given.slice(1));
}

async function allPages(gql: string, flags: QueryFlags, limit: number, { client }: CommandContext): Promise<GqlAnswerView> {
  const bindings = gqlBindings(flags.bind);
  const entities: EntityView[] = [];
  let cursor: string | undefined;
  let plan: GqlAnswerView['plan'];
  for (;;) {
    const request: GqlRequestView = {
      gql,
      namespace: flags.namespace,
      ...bindings,
      pageSize: Math.min(limit - entities.length, LIMITS.queryBatchResultsMax),
      ...(cursor === undefined ? {} : { cursor }),
      ...(flags.explain ? { explain: true } : {}),
      ...(flags.readTime === undefined ? {} : { readTime: flags.readTime }),
    };
    const answer = await client.call<GqlAnswerView>('POST', `${pathOf(flags.app)}/query`, { json: request });
    if (answer.kind === 'aggregation') return answer;
    entities.push(...answer.entities);
    if (answer.plan) plan = plan ? added(plan, answer.plan) : answer.plan;
    ({ cursor } = answer);
    if (cursor === undefined || entities.length >= limit) break;
  }
  return { kind: 'entities', entities, ...(cursor === undefined ? {} : { cursor }), ...(plan ? { plan } : {}) };
}

type Plan = NonNullable<GqlAnswerView['plan']>;

function added(one: Plan, other: Plan): Plan {
  return {
    scans: one.scans,
    indexRowsRead: one.indexRowsRead + other.indexRowsRead,
    entitiesRead: one.entitiesRead + other.entitiesRead,
  };
}

/** One column a property, in the order in which they first come. */
function entityTable(entities: readonly EntityView[]): string {
  const names = [...new Set(entities.flatMap(({ properties }) => Object.keys(properties)))];
  const shown = names.slice(0, COLUMNS_MAX);
  const rows = entities.map(({ name, properties }) => [
    withoutControl(name),
    ...shown.map((property) => (Object.hasOwn(properties, property) ? cell(properties[property] ?? {}) : '')),
  ]);
  const more =
    names.length > shown.length ? `\nand ${formatCount(names.length - shown.length, 'more property', 'more properties')}: see --json` : '';
  return `${formatTable(['key', ...shown.map(withoutControl)], rows)}${more}`;
}

function cell(value: JsonValue): string {
  const text = withoutControl(plain(value));
  return text.length > CELL_CHARACTERS_MAX ? `${text.slice(0, CELL_CHARACTERS_MAX - 1)}…` : text;
}

function plain(value: JsonValue): string {
  if (value.stringValue !== undefined) return JSON.stringify(value.stringValue);
  if (value.keyValue) return keyText(value.keyValue);
  if (value.arrayValue) return `[${value.arrayValue.values.map(plain).join(', ')}]`;
  if (value.entityValue) {
    const members = Object.entries(value.entityValue.properties).map(([name, member]) => `${name}: ${plain(member)}`);
    return `{${members.join(', ')}}`;
  }
  if (value.geoPointValue) return `${value.geoPointValue.latitude}, ${value.geoPointValue.longitude}`;
  const scalar = value.integerValue ?? value.doubleValue ?? value.timestampValue ?? value.booleanValue ?? value.blobValue;
  return scalar === undefined ? 'null' : String(scalar);
}

function keyText({ path }: JsonKey): string {
  return path.map(({ kind, id, name }) => `${kind}:${id ?? (name === undefined ? '?' : JSON.stringify(name))}`).join(' / ');
}

async function readTextFile(path: string, shown: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new PlatformError('USAGE', `the file ${shown} cannot be read`, { cause });
  }
}

/** Only the form: what a key and a value may be is the server's to say. */
function parseEntity(text: string, file: string): { readonly key: unknown; readonly properties: unknown; readonly version?: unknown } {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw new PlatformError('USAGE', `${file} is not JSON`, { cause });
  }
  if (typeof parsed === 'object' && parsed !== null && 'key' in parsed && 'properties' in parsed) return parsed;
  throw new PlatformError('USAGE', `${file} has no "key" and "properties"`);
}

function pathOf(app: string): string {
  return `/apps/${encodeURIComponent(app)}/datastore`;
}
