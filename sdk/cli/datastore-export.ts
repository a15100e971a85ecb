// `appengine datastore export`: entities into files, page after page, all of one moment if it takes less than an hour.
import { resolve } from 'node:path';
import { type EntityLine, type ExportLine, type ExportRequest } from '../contract/admin/transfer.ts';
import { errorFromBody, PlatformError } from '../contract/errors.ts';
import { parseTimestamp } from '../contract/timestamp-text.ts';
import { sleep } from '../support/clock.ts';
import { type CommandContext } from './command-context.ts';
import { type ExportManifest } from './export-manifest.ts';
import { ExportWriter } from './export-writer.ts';
import { createProgress, type Progress, silentProgress } from './progress.ts';
import { formatBytes, formatCount } from './table.ts';

export interface ExportFlags {
  readonly app: string;
  readonly kind?: readonly string[];
  readonly namespace?: readonly string[];
  readonly database?: string;
  readonly since?: string;
  readonly gzip?: boolean;
}

/** Tries without a page in between, after the connection broke. */
const ATTEMPTS_MAX = 6;
const PAUSE_MS = 250;
const ENTITY_START = '{"entity":';

export async function exportDatastore(directory: string, flags: ExportFlags, context: CommandContext): Promise<void> {
  const { terminal, json, timers, clock, workingDirectory } = context;
  if (flags.since !== undefined && parseTimestamp(flags.since) === undefined)
    throw new PlatformError('USAGE', `--since is "${flags.since}", want a time such as 2026-01-02T03:04:05Z`);
  const filters = {
    ...(flags.kind ? { kinds: [...flags.kind] } : {}),
    ...(flags.namespace ? { namespaces: [...flags.namespace] } : {}),
    ...(flags.database === undefined ? {} : { database: flags.database }),
    ...(flags.since === undefined ? {} : { since: flags.since }),
  };
  const target = {
    ...{ app: flags.app, filters },
    compression: flags.gzip ? ('gzip' as const) : ('none' as const),
    startedAt: new Date(clock.nowMs()).toISOString(),
  };
  const writer = await ExportWriter.open(resolve(workingDirectory, directory), target);
  const progress = json ? silentProgress : createProgress(terminal, timers);
  try {
    if (writer.manifest.complete) terminal.say(`${directory} holds the whole export already.`);
    else {
      if (writer.entities > 0) terminal.say(`Going on behind ${formatCount(writer.entities, 'entity', 'entities')}.`);
      await transfer(writer, flags.app, filters, context, progress);
    }
  } finally {
    progress.close();
    await writer.close();
  }
  printResult(directory, writer.manifest, context);
}

/** Page after page, over broken connections and moments that are kept no more. */
async function transfer(
  writer: ExportWriter,
  app: string,
  filters: ExportManifest['filters'],
  context: CommandContext,
  progress: Progress,
): Promise<void> {
  const beganMs = context.clock.monotonicMs();
  const began = { entities: writer.entities, bytes: 0 };
  const onPage = (rows: number, bytes: number): void => {
    began.bytes += bytes;
    const seconds = Math.max(0.001, (context.clock.monotonicMs() - beganMs) / 1000);
    const rate = Math.round((writer.entities - began.entities) / seconds);
    progress.running(
      'Exporting',
      `${formatCount(writer.entities, 'entity', 'entities')}, ${formatBytes(began.bytes)}, ${rate}/s, ${rows} rows read`,
    );
  };
  let readTime = writer.readTime;
  for (let attempt = 1; ; attempt++) {
    const before = writer.entities;
    try {
      const request = { ...filters, ...(writer.lastKey ? { after: writer.lastKey } : {}), ...(readTime === undefined ? {} : { readTime }) };
      await follow(writer, app, request, context, onPage);
      await writer.complete();
      progress.done('Exported', formatCount(writer.entities, 'entity', 'entities'));
      return;
    } catch (error) {
      if (!(error instanceof PlatformError) || context.signal.aborted) throw error;
      if (writer.entities > before) attempt = 1;
      readTime = writer.readTime;
      if (error.code === 'DS_TOO_OLD' && readTime !== undefined) {
        context.terminal.say(`What is left is of a later moment: the state of ${readTime} is kept no more.`);
        readTime = undefined;
        continue;
      }
      const mayRepeat = error.retryable || error.code === 'RPC_CONNECTION_LOST';
      if (!mayRepeat || attempt >= ATTEMPTS_MAX) throw error;
      await sleep(context.timers, PAUSE_MS * 2 ** attempt, { signal: context.signal });
    }
  }
}

async function follow(
  writer: ExportWriter,
  app: string,
  request: ExportRequest,
  { client, signal }: CommandContext,
  onPage: (rows: number, bytes: number) => void,
): Promise<void> {
  let lines: string[] = [];
  for await (const line of client.textLines('POST', `/apps/${encodeURIComponent(app)}/datastore/export`, { json: request, signal })) {
    if (line.startsWith(ENTITY_START)) {
      lines.push(line);
      continue;
    }
    const said = JSON.parse(line) as Exclude<ExportLine, EntityLine>;
    if ('failed' in said) throw errorFromBody(said.failed);
    if ('end' in said) return;
    const last = lines.at(-1);
    const { rows, readTime } = said.page;
    if (last !== undefined) {
      const { entity } = JSON.parse(last) as EntityLine;
      await writer.write({ lines, lastKey: entity.key, readTime });
    }
    onPage(
      rows,
      lines.reduce((sum, one) => sum + one.length, 0),
    );
    lines = [];
  }
  throw new PlatformError('RPC_CONNECTION_LOST', 'the export was cut off before its end');
}

function printResult(directory: string, manifest: ExportManifest, { terminal, json }: CommandContext): void {
  if (json) {
    terminal.printJson({ directory, ...manifest });
    return;
  }
  const { entities, files, consistent } = manifest;
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  terminal.print(
    `${formatCount(entities, 'entity', 'entities')} of ${manifest.app} in ${formatCount(files.length, 'file')} (${formatBytes(bytes)}) in ${directory}`,
  );
  const began = files[0]?.readTime?.first ?? '';
  const later = files.find(({ readTime }) => readTime?.last !== began);
  if (later) terminal.print(`As they were at ${began}, and from ${later.name} on at later moments.`);
  else if (consistent && files.length > 0) terminal.print(`All as they were at ${began}.`);
}
