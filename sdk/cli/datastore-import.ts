// `appengine datastore import`: an exported directory into an app, several batches at the same time.
import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { PlatformError } from '../contract/errors.ts';
import { type CommandContext } from './command-context.ts';
import { fileLines, verifyFile } from './export-files.ts';
import { type ExportedFile, type ExportManifest, readManifest } from './export-manifest.ts';
import { type ImportPosition, ImportProgress } from './import-progress.ts';
import { type Batch, batchesOf, ImportSender, type ImportWay, type Refused } from './import-sender.ts';
import { createProgress, type Progress, silentProgress } from './progress.ts';
import { formatBytes, formatCount } from './table.ts';
import { withoutControl } from './terminal.ts';

export interface ImportFlags {
  readonly app: string;
  readonly mode: string;
  readonly skipErrors?: boolean;
  readonly incomplete?: boolean;
}

/** What `--json` prints. */
interface ImportOutcome {
  readonly app: string;
  readonly from: string;
  readonly written: number;
  readonly refused: number;
  /** Where the refused lines are, when there are any. */
  readonly rejects?: string;
}

const BATCHES_AT_ONCE = 4;
/** Lines that may be sent before how far it is must be on disk again. */
const RESERVED_LINES = 4_000;
const TEXT_CHARACTERS_MAX = 64 * 1024;

export async function importDatastore(directory: string, flags: ImportFlags, context: CommandContext): Promise<void> {
  const { terminal, json, timers, workingDirectory } = context;
  if (flags.mode !== 'insert' && flags.mode !== 'upsert')
    throw new PlatformError('USAGE', `--mode is "${flags.mode}", want insert or upsert`);
  const from = resolve(workingDirectory, directory);
  const manifest = await readManifest(from);
  if (!manifest) throw new PlatformError('EXPORT_UNUSABLE', `${directory} has no manifest.json`);
  if (!manifest.complete && !flags.incomplete)
    throw new PlatformError('EXPORT_UNUSABLE', `${directory} is not a whole export; --incomplete imports what is there`);
  const way: ImportWay = { app: flags.app, from: manifest.app, mode: flags.mode, skip: flags.skipErrors ?? false };
  const progress = json ? silentProgress : createProgress(terminal, timers);
  const work = new Import(from, manifest, way, context, progress);
  let outcome: ImportOutcome;
  try {
    await work.verify();
    outcome = await work.run();
  } finally {
    progress.close();
  }
  if (json) terminal.printJson(outcome);
  else {
    terminal.print(`Imported ${formatCount(outcome.written, 'entity', 'entities')} of ${manifest.app} into ${flags.app}.`);
    if (outcome.rejects !== undefined) terminal.print(`${formatCount(outcome.refused, 'line')} refused: see ${outcome.rejects}`);
  }
}

class Import {
  readonly #directory: string;
  readonly #manifest: ExportManifest;
  readonly #way: ImportWay;
  readonly #context: CommandContext;
  readonly #progress: Progress;
  readonly #sender: ImportSender;
  readonly #saved: ImportProgress;
  readonly #rejectsPath: string;
  #rejects: Promise<FileHandle> | undefined;
  #refused = 0;
  #written = 0;
  #bytes = 0;
  #canSave = true;

  constructor(directory: string, manifest: ExportManifest, way: ImportWay, context: CommandContext, progress: Progress) {
    this.#directory = directory;
    this.#manifest = manifest;
    this.#way = way;
    this.#context = context;
    this.#progress = progress;
    this.#sender = new ImportSender(context, way);
    const files = createHash('sha256')
      .update(JSON.stringify(manifest.files.map(({ name, sha256 }) => [name, sha256])))
      .digest('hex');
    this.#saved = new ImportProgress(directory, way.app, [context.server, way.app, way.mode, files].join(' '));
    this.#rejectsPath = join(directory, `import-${way.app}.rejects.ndjson`);
  }

  async verify(): Promise<void> {
    const all = this.#manifest.files.reduce((sum, { bytes }) => sum + bytes, 0);
    let bytes = 0;
    for (const file of this.#manifest.files) {
      await verifyFile(this.#directory, file, (read) => {
        bytes += read;
        this.#progress.running('Verifying', `${formatBytes(bytes)} of ${formatBytes(all)}`);
      });
    }
    this.#progress.done('Verified', `${formatCount(this.#manifest.files.length, 'file')}, ${formatBytes(bytes)}`);
  }

  async run(): Promise<ImportOutcome> {
    const { files, app } = this.#manifest;
    const start = await this.#saved.read();
    if (start) this.#context.terminal.say(`Going on in ${start.file} behind line ${start.line}.`);
    const beganMs = this.#context.clock.monotonicMs();
    const first = start
      ? Math.max(
          0,
          files.findIndex(({ name }) => name === start.file),
        )
      : 0;
    try {
      for (const file of files.slice(first))
        await this.#importFile(file, start?.file === file.name ? start : undefined, start !== undefined, beganMs);
    } finally {
      await (await this.#rejects)?.close();
    }
    await this.#saved.remove();
    this.#progress.done('Imported', formatCount(this.#written, 'entity', 'entities'));
    const rejects = this.#refused > 0 ? { rejects: this.#rejectsPath } : {};
    return { app: this.#way.app, from: app, written: this.#written, refused: this.#refused, ...rejects };
  }

  /** Batches leave in order and end in any; `done` is up to where all have. */
  async #importFile(file: ExportedFile, start: ImportPosition | undefined, isResumed: boolean, beganMs: number): Promise<void> {
    let done = start?.line ?? 0;
    let savedUpTo = -1;
    // A run before may have been ahead by a file's end.
    const mayExist = start?.reserved ?? (isResumed ? RESERVED_LINES : 0);
    const running = new Map<number, Promise<void>>();
    const ended = new Map<number, number>();
    const failed: unknown[] = [];
    const isOver = (): boolean => failed.length > 0;
    for await (const batch of batchesOf(file.name, fileLines(this.#directory, file), done, mayExist)) {
      if (isOver()) break;
      const lastLine = batch.firstLine + batch.lines.length - 1;
      if (lastLine > savedUpTo) {
        await this.#save({ file: file.name, line: done, reserved: RESERVED_LINES });
        savedUpTo = done + RESERVED_LINES;
      }
      const sent = this.#send(batch, beganMs)
        .then(() => {
          ended.set(batch.firstLine, lastLine);
          for (let end = ended.get(done + 1); end !== undefined; end = ended.get(done + 1)) {
            ended.delete(done + 1);
            done = end;
          }
        })
        .catch((error: unknown) => {
          failed.push(error);
        })
        .finally(() => running.delete(batch.firstLine));
      running.set(batch.firstLine, sent);
      if (running.size >= BATCHES_AT_ONCE) await Promise.race(running.values());
    }
    await Promise.all(running.values());
    await this.#save({ file: file.name, line: done, reserved: RESERVED_LINES });
    if (isOver()) throw failed[0];
  }

  async #send(batch: Batch, beganMs: number): Promise<void> {
    const { written, refused } = await this.#sender.send(batch);
    this.#written += written;
    this.#bytes += batch.bytes;
    const seconds = Math.max(0.001, (this.#context.clock.monotonicMs() - beganMs) / 1000);
    const of = this.#manifest.entities > 0 ? ` of ${this.#manifest.entities}` : '';
    this.#progress.running(
      'Importing',
      `${this.#written}${of} entities, ${formatBytes(this.#bytes)}, ${Math.round(this.#written / seconds)}/s`,
    );
    for (const one of refused) await this.#refuse(one);
  }

  async #refuse({ file, line, failure, text }: Refused): Promise<void> {
    const { code, message } = failure.error;
    if (!this.#way.skip) {
      throw new PlatformError('IMPORT_LINE_REFUSED', `${file}:${line}: ${withoutControl(message)} (${code})`, {
        details: { file, line, code },
      });
    }
    this.#refused++;
    this.#rejects ??= open(this.#rejectsPath, 'a', 0o600);
    const rejects = await this.#rejects;
    const record = { file, line, code, message, text: text.toString('utf8').slice(0, TEXT_CHARACTERS_MAX) };
    await rejects.writeFile(`${JSON.stringify(record)}\n`);
  }

  async #save(position: ImportPosition): Promise<void> {
    if (!this.#canSave) return;
    this.#canSave = await this.#saved.write(position);
    if (!this.#canSave) this.#context.terminal.say('How far it is cannot be written beside the export: if it is stopped, it begins anew.');
  }
}
