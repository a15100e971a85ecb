// The files that `error_handlers` of app.yaml names, against the files of the app.
import { type UploadFile } from '../admin/admin.ts';
import { PlatformError } from '../errors.ts';
import { LIMITS } from '../limits.ts';
import { type AppManifest, type ManifestErrorPage } from './manifest.ts';

export interface ErrorPageFile extends ManifestErrorPage {
  readonly sha256: string;
}

/** Each page with its content's hash. Throws MANIFEST_INVALID when a file is missing or too large. */
export function errorPageFiles(manifest: AppManifest, files: readonly UploadFile[]): readonly ErrorPageFile[] {
  return manifest.errorPages.map((page) => {
    const file = files.find(({ path }) => path === page.file);
    if (!file) throw invalid(`"error_handlers" names "${page.file}", which is not among the files of the app`);
    if (file.bytes > LIMITS.errorPageBytesMax) {
      throw invalid(`the error page "${page.file}" has ${file.bytes} bytes, at most ${LIMITS.errorPageBytesMax} are allowed`);
    }
    return { ...page, sha256: file.sha256 };
  });
}

function invalid(problem: string): PlatformError {
  return new PlatformError('MANIFEST_INVALID', `app.yaml: ${problem}`, { details: { file: 'app.yaml', problem } });
}
