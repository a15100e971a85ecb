// What the platform reads of an app's package.json.
import { z } from 'zod';
import { PlatformError } from '../../../sdk/contract/errors.ts';
import { type SourceTree } from '../port.ts';

const schema = z.object({
  main: z.string().optional(),
  scripts: z.record(z.string(), z.string()).default({}),
  dependencies: z.record(z.string(), z.string()).default({}),
  devDependencies: z.record(z.string(), z.string()).default({}),
  optionalDependencies: z.record(z.string(), z.string()).default({}),
});

export type PackageJson = z.infer<typeof schema>;

export const PACKAGE_JSON = 'package.json';

/** As if it were `{}` where there is none. Throws MANIFEST_INVALID naming what cannot be read. */
export async function readPackageJson(source: SourceTree): Promise<PackageJson> {
  if (!source.paths.has(PACKAGE_JSON)) return schema.parse({});
  const parsed = schema.safeParse(parseJson(await source.readText(PACKAGE_JSON)));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw invalid(`"${issue?.path.map(String).join('.') ?? ''}": ${issue?.message ?? 'does not fit'}`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw invalid(error instanceof Error ? error.message : String(error));
  }
}

function invalid(reason: string): PlatformError {
  return new PlatformError('MANIFEST_INVALID', `${PACKAGE_JSON}: ${reason}`, { details: { file: PACKAGE_JSON } });
}
