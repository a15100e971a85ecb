// `appengine datastore indexes …`: the composite indexes of an app, and what its index.yaml says of them.
import { readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type IndexesRequest, type IndexView } from '../contract/admin/indexes.ts';
import { INDEX_YAML, parseIndexManifest } from '../contract/app-manifest/index-yaml.ts';
import { PlatformError } from '../contract/errors.ts';
import { type IndexDefinition } from '../contract/index-definition.ts';
import { LIMITS } from '../contract/limits.ts';
import { sleep } from '../support/clock.ts';
import { type CommandContext } from './command-context.ts';
import { createProgress, silentProgress } from './progress.ts';
import { formatCount, formatTable } from './table.ts';
import { withoutControl } from './terminal.ts';

const POLL_MS = 250;

export interface CreateFlags {
  readonly app: string;
  readonly wait?: boolean;
}

export interface CleanupFlags {
  readonly app: string;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
}

export async function listIndexes(app: string, context: CommandContext): Promise<void> {
  const { terminal, json } = context;
  const indexes = await indexesOf(app, context);
  if (json) terminal.printJson({ indexes });
  else if (indexes.length === 0) {
    terminal.say('No composite indexes. A query that needs one says which lines of index.yaml it wants.');
  } else printTable(indexes, context);
}

/** Makes what index.yaml declares. With `--wait` it ends when all of it serves. Throws INDEX_FAILED. */
export async function createIndexes(place: string, flags: CreateFlags, context: CommandContext): Promise<void> {
  const { client, terminal, json } = context;
  const declared = await declaredIndexes(place, context);
  const request: IndexesRequest = { indexes: declared };
  const made = await client.call<{ indexes: IndexView[] }>('POST', pathOf(flags.app), { json: request });
  const indexes = flags.wait ? await served(flags.app, made.indexes, context) : made.indexes;
  if (json) terminal.printJson({ indexes });
  else if (indexes.length === 0) terminal.say(`${place} declares no indexes.`);
  else printTable(indexes, context);
}

/** Deletes what index.yaml does not declare. */
export async function cleanUpIndexes(place: string, flags: CleanupFlags, context: CommandContext): Promise<void> {
  const { client, terminal, json } = context;
  const declared = new Set((await declaredIndexes(place, context)).map(nameOf));
  const all = await indexesOf(flags.app, context);
  const unused = all.filter((index) => index.state !== 'deleting' && !declared.has(nameOf(index)));
  if (unused.length > 0 && !json) {
    terminal.say(`${formatCount(unused.length, 'index', 'indexes')} of ${flags.app} not in ${place}:`);
    printTable(unused, context);
  }
  const isWanted = unused.length > 0 && !flags.dryRun && (flags.yes === true || (await isConfirmed(unused.length, context)));
  if (isWanted) for (const { id } of unused) await client.call('DELETE', `${pathOf(flags.app)}/${id}`);
  if (json) terminal.printJson({ indexes: unused, deleted: isWanted });
  else if (isWanted) terminal.print(`Deleted ${formatCount(unused.length, 'index', 'indexes')}; the rows go in the background.`);
  else terminal.say(unused.length === 0 ? `${flags.app} has no index that is not in ${place}.` : 'Nothing was deleted.');
}

/** Throws USAGE where there is nobody to ask. */
async function isConfirmed(count: number, { askLine, json }: CommandContext): Promise<boolean> {
  if (!askLine || json)
    throw new PlatformError('USAGE', 'deleting indexes without a terminal to ask on wants --yes; see first with --dry-run');
  const answer = await askLine(
    `Delete ${count === 1 ? 'it' : `these ${count}`}? Queries that use ${count === 1 ? 'it' : 'them'} will fail. [y/N] `,
  );
  return /^y(es)?$/i.test(answer.trim());
}

async function served(app: string, wanted: readonly IndexView[], context: CommandContext): Promise<readonly IndexView[]> {
  const { terminal, timers, json, signal } = context;
  const ids = new Set(wanted.map(({ id }) => id));
  const progress = json ? silentProgress : createProgress(terminal, timers);
  try {
    for (;;) {
      const indexes = (await indexesOf(app, context)).filter(({ id }) => ids.has(id));
      const failed = indexes.find(({ state }) => state === 'error');
      if (failed) throw new PlatformError('INDEX_FAILED', `${describe(failed)}: ${failed.reason ?? 'see the platform log'}`);
      if (indexes.length < ids.size || indexes.some(({ state }) => state === 'deleting')) {
        throw new PlatformError('INDEX_FAILED', 'somebody deleted one meanwhile');
      }
      const building = indexes.filter(({ state }) => state === 'building');
      if (building.length === 0) {
        progress.done('Indexes', formatCount(indexes.length, 'index serves', 'indexes serve'));
        return indexes;
      }
      const [first] = building;
      if (first)
        progress.running('Indexes', `${describe(first)} ${stateOf(first)}; ${indexes.length - building.length} of ${indexes.length} serve`);
      await sleep(timers, POLL_MS, { signal });
    }
  } finally {
    progress.close();
  }
}

/** Of a file, or of index.yaml in a directory. Throws MANIFEST_MISSING and MANIFEST_INVALID, with line and column. */
async function declaredIndexes(place: string, { workingDirectory }: CommandContext): Promise<readonly IndexDefinition[]> {
  const path = resolve(workingDirectory, place);
  const isDirectory = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
  const file = isDirectory ? join(path, INDEX_YAML) : path;
  const text = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new PlatformError('MANIFEST_MISSING', `looked for ${file}`, { cause });
  });
  if (text.length > LIMITS.manifestBytesMax) {
    throw new PlatformError('MANIFEST_INVALID', `${file} is longer than ${LIMITS.manifestBytesMax} bytes`);
  }
  return parseIndexManifest(text, isDirectory ? join(place, INDEX_YAML) : place);
}

async function indexesOf(app: string, { client }: CommandContext): Promise<readonly IndexView[]> {
  return (await client.call<{ indexes: IndexView[] }>('GET', pathOf(app))).indexes;
}

function printTable(indexes: readonly IndexView[], { terminal }: CommandContext): void {
  const rows = indexes.map((index) => [
    String(index.id),
    withoutControl(index.kind),
    index.ancestor ? 'yes' : 'no',
    withoutControl(index.properties.map(columnOf).join(', ')),
    stateOf(index),
  ]);
  terminal.print(formatTable(['id', 'kind', 'ancestor', 'properties', 'state'], rows));
  for (const { id, reason } of indexes) if (reason !== undefined) terminal.print(`${id}: ${withoutControl(reason)}`);
}

function stateOf({ state, done, estimate }: IndexView): string {
  if (state === 'building') return estimate === 0 ? 'building' : `building, ${done} of about ${Math.max(done, estimate)}`;
  return state === 'deleting' && done > 0 ? `deleting, ${done} rows gone` : state;
}

function describe({ kind, ancestor, properties }: IndexDefinition): string {
  return withoutControl(`${kind}(${[...(ancestor ? ['ancestor'] : []), ...properties.map(columnOf)].join(', ')})`);
}

function columnOf({ name, direction }: IndexDefinition['properties'][number]): string {
  return direction === 'desc' ? `${name} desc` : name;
}

function nameOf({ kind, ancestor, properties }: IndexDefinition): string {
  return JSON.stringify([kind, ancestor, properties.map(({ name, direction }) => [name, direction])]);
}

function pathOf(app: string): string {
  return `/apps/${encodeURIComponent(app)}/datastore/indexes`;
}
