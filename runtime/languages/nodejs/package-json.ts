// What the platform reads of an app's package.json.
import { z } from 'zod';
import { PlatformError } from '../../../sdk/contract/errors.ts';
import { type SourceTree } from '../port.ts';

const schema = z.object({
  main: z.string().optional(),
  type: z.string().optional(),
  packageManager: z.string().optional().catch(undefined),
  engines: z.object({ node: z.string().optional() }).optional().catch(undefined),
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
  return parsePackageJson(await source.readText(PACKAGE_JSON), PACKAGE_JSON);
}

/** "type" of a package.json anywhere in the app. Throws as readPackageJson. */
export function packageTypeOf(text: string, path: string): string | undefined {
  return parsePackageJson(text, path).type;
}

function parsePackageJson(text: string, path: string): PackageJson {
  const parsed = schema.safeParse(parseJson(text, path));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw invalid(path, `"${issue?.path.map(String).join('.') ?? ''}": ${issue?.message ?? 'does not fit'}`);
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw invalid(path, error instanceof Error ? error.message : String(error));
  }
}

function invalid(path: string, reason: string): PlatformError {
  return new PlatformError('MANIFEST_INVALID', `${path}: ${reason}`, { details: { file: path } });
}
