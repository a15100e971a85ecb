// The list of files that a deploy begins with: what may stand in it. The command line asks before it uploads, the
// server does not believe it and asks again.
import { type UploadFile } from '../admin/admin.ts';
import { PlatformError } from '../errors.ts';
import { LIMITS } from '../limits.ts';

const SHA256 = /^[0-9a-f]{64}$/;
/** What file systems allow for one name. */
const PART_BYTES_MAX = 255;

/** Throws UPLOAD_REFUSED naming the first path that cannot be, or the limit that is exceeded. */
export function checkUploadFiles(files: readonly UploadFile[]): void {
  if (files.length > LIMITS.deployFilesMax) {
    throw refused(`${files.length} files, at most ${LIMITS.deployFilesMax} are allowed; name what is not needed in .gcloudignore`);
  }
  let bytes = 0;
  for (const file of files) {
    const problem = pathProblem(file.path);
    if (problem !== undefined) throw refused(`${JSON.stringify(file.path.slice(0, 200))} ${problem}`, file.path);
    if (!SHA256.test(file.sha256)) throw refused(`${JSON.stringify(file.path)} has no SHA-256`, file.path);
    if (!Number.isSafeInteger(file.bytes) || file.bytes < 0) throw refused(`${JSON.stringify(file.path)} has no size`, file.path);
    if (file.bytes > LIMITS.deployFileBytesMax) {
      throw refused(`${JSON.stringify(file.path)} has ${file.bytes} bytes, at most ${LIMITS.deployFileBytesMax} are allowed`, file.path);
    }
    bytes += file.bytes;
  }
  if (bytes > LIMITS.deployBytesMax) throw refused(`${bytes} bytes in all, at most ${LIMITS.deployBytesMax} are allowed`);
  refuseCollisions(files);
  refuseTwoSizes(files);
}

/** Why a path cannot be uploaded, completing "PATH …"; undefined when it can. */
export function pathProblem(path: string): string | undefined {
  if (path === '') return 'is empty';
  if (Buffer.byteLength(path) > LIMITS.deployPathBytesMax) return `is longer than ${LIMITS.deployPathBytesMax} bytes`;
  if (!path.isWellFormed()) return 'is not well-formed Unicode';
  if (path !== path.normalize('NFC')) return 'is not in Unicode form C';
  // A backslash separates directories for some readers of the path and not for others.
  if (path.includes('\\')) return 'contains a backslash';
  if (hasControl(path)) return 'contains a control character';
  for (const part of path.split('/')) {
    if (part === '') return 'is not relative, or has an empty part';
    if (part === '.' || part === '..') return `has the part "${part}"`;
    if (Buffer.byteLength(part) > PART_BYTES_MAX) return `has a part longer than ${PART_BYTES_MAX} bytes`;
  }
  return undefined;
}

/** Two paths, files or directories, that some file system could not hold side by side. */
function refuseCollisions(files: readonly UploadFile[]): void {
  const spellings = new Map<string, { readonly path: string; readonly isFile: boolean }>();
  for (const { path } of files) {
    for (let end = path.indexOf('/'); ; end = path.indexOf('/', end + 1)) {
      const isFile = end < 0;
      const prefix = isFile ? path : path.slice(0, end);
      const other = spellings.get(folded(prefix));
      if (other && other.path !== prefix) {
        throw refused(`"${other.path}" and "${prefix}" differ only by case or Unicode form, and not every system can hold both`, prefix);
      }
      if (other && (isFile || other.isFile)) {
        throw refused(isFile && other.isFile ? `"${path}" stands twice` : `"${prefix}" is both a file and a directory`, prefix);
      }
      spellings.set(folded(prefix), { path: prefix, isFile });
      if (isFile) break;
    }
  }
}

function refuseTwoSizes(files: readonly UploadFile[]): void {
  const sizes = new Map<string, number>();
  for (const { sha256, bytes, path } of files) {
    const known = sizes.get(sha256);
    if (known !== undefined && known !== bytes) throw refused(`"${path}" has the hash of a file of another size`, path);
    sizes.set(sha256, bytes);
  }
}

function folded(path: string): string {
  // Upper before lower: some letters fold together only one way (ß and ẞ, ſ and s).
  return path.normalize('NFKC').toUpperCase().toLowerCase().normalize('NFC');
}

function hasControl(path: string): boolean {
  for (let index = 0; index < path.length; index++) {
    const code = path.charCodeAt(index);
    if (code < 0x20 || (code >= 0x7f && code < 0xa0) || code === 0x2028 || code === 0x2029) return true;
  }
  return false;
}

function refused(reason: string, path?: string): PlatformError {
  return new PlatformError('UPLOAD_REFUSED', reason, path === undefined ? {} : { details: { path: path.slice(0, 1_024) } });
}
