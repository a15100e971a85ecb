// manifest.json of an exported directory: what its files hold, and whether they are all there. The format: docs/datastore.md.
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { type JsonKey } from '../contract/admin/data.ts';
import { PlatformError } from '../contract/errors.ts';
import { LIMITS } from '../contract/limits.ts';
import { writeDurably } from '../support/durable-files.ts';

export const MANIFEST = 'manifest.json';
const FORMAT = 'appengine-datastore-export';
export const FORMAT_VERSION = 1;

const count = z.int().min(0);
const names = z.array(z.string()).exactOptional();

const exportedFile = z.object({
  // Nothing that could lead out of the directory.
  name: z.string().regex(/^[A-Za-z0-9_-]{1,100}\.ndjson(\.gz)?$/, 'a name such as entities-00001.ndjson'),
  entities: count,
  /** Of the file as it lies there. */
  bytes: count,
  /** Of its lines. */
  lineBytes: count,
  sha256: z.string().regex(/^[0-9a-f]{64}$/, 'a SHA-256 in hexadecimal'),
  /** RFC 3339: of which moment its entities are; two when the export went on at a later one. */
  readTime: z.object({ first: z.string(), last: z.string() }).exactOptional(),
  /** Of its last entity: where the export goes on. */
  lastKey: z.custom<JsonKey>((value) => typeof value === 'object' && value !== null, 'want a key').exactOptional(),
});

const manifest = z.object({
  format: z.literal(FORMAT),
  formatVersion: z.literal(FORMAT_VERSION),
  app: z.string(),
  filters: z
    .object({ kinds: names, namespaces: names, database: z.string().exactOptional(), since: z.string().exactOptional() })
    .default({}),
  compression: z.enum(['none', 'gzip']).default('none'),
  startedAt: z.string().default(''),
  /** Whether all entities are as they were at one moment. */
  consistent: z.boolean().default(false),
  /** Whether this is the whole export. */
  complete: z.boolean(),
  entities: count.default(0),
  files: z.array(exportedFile),
});

export type ExportedFile = z.infer<typeof exportedFile>;
export type ExportManifest = z.infer<typeof manifest>;

export function newManifest(about: Pick<ExportManifest, 'app' | 'filters' | 'compression' | 'startedAt'>): ExportManifest {
  return { format: FORMAT, formatVersion: FORMAT_VERSION, ...about, consistent: true, complete: false, entities: 0, files: [] };
}

/** Undefined when there is none. Throws EXPORT_UNUSABLE naming what does not fit. */
export async function readManifest(directory: string): Promise<ExportManifest | undefined> {
  const path = join(directory, MANIFEST);
  let text: string;
  try {
    const { size } = await stat(path);
    if (size > LIMITS.exportManifestBytesMax)
      throw new PlatformError('EXPORT_UNUSABLE', `${path} has more than ${LIMITS.exportManifestBytesMax} bytes`);
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return undefined;
    throw error;
  }
  return parseManifest(text, path);
}

/** Throws EXPORT_UNUSABLE naming what does not fit. `path` is for people. */
export function parseManifest(text: string, path: string): ExportManifest {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new PlatformError('EXPORT_UNUSABLE', `${path} is not JSON`, { cause });
  }
  const version = typeof json === 'object' && json !== null && 'formatVersion' in json ? json.formatVersion : undefined;
  if (typeof version === 'number' && version !== FORMAT_VERSION) {
    throw new PlatformError('EXPORT_UNUSABLE', `${path} has format version ${version}, this release reads ${FORMAT_VERSION}`);
  }
  const parsed = manifest.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new PlatformError('EXPORT_UNUSABLE', `${path}, "${issue?.path.map(String).join('.') ?? ''}": ${issue?.message ?? 'does not fit'}`);
}

export function writeManifest(directory: string, content: ExportManifest): Promise<void> {
  return writeDurably(join(directory, MANIFEST), `${JSON.stringify(content, null, 2)}\n`);
}
