import { describe, expect, it } from 'vitest';
import { type UploadFile } from '../admin/admin.ts';
import { LIMITS } from '../limits.ts';
import { checkUploadFiles } from './upload-files.ts';

let serial = 0;
const file = (path: string, changes: Partial<UploadFile> = {}): UploadFile => {
  serial++;
  return { path, sha256: serial.toString(16).padStart(64, '0'), bytes: 1, executable: false, ...changes };
};

describe('checkUploadFiles', () => {
  it('accepts an ordinary tree', () => {
    checkUploadFiles(['app.yaml', 'a/b.txt', 'a/c.txt', 'a b', '.hidden', 'ä/ö.txt', '..a', 'a..b'].map((path) => file(path)));
  });

  it.each([
    ['', /is empty/],
    ['/etc/passwd', /not relative/],
    ['../x', /the part ".."/],
    ['a/../../x', /the part ".."/],
    ['./a', /the part "."/],
    ['a//b', /empty part/],
    ['a/', /empty part/],
    ['a\\..\\b', /backslash/],
    ['a\0b', /control character/],
    ['a\nb', /control character/],
    ['a\ud800', /well-formed/],
    ['a\u0308', /form C/],
    ['x'.repeat(300), /part longer/],
    [`${'x/'.repeat(600)}x`, /longer than 1024/],
  ])('refuses the path %j', (path, problem) => {
    expect(() => {
      checkUploadFiles([file(path)]);
    }).toThrow(problem);
  });

  it.each([
    ['two spellings of a file', ['a.txt', 'A.TXT'], /differ only by case/],
    ['two spellings of a directory', ['lib/a', 'Lib/b'], /differ only by case/],
    ['compatibility forms', ['ﬁle', 'file'], /differ only by case/],
    ['sharp s', ['straße', 'STRASSE'], /differ only by case/],
    ['the same path twice', ['a', 'a'], /stands twice/],
    ['a file that is also a directory', ['a', 'a/b'], /both a file and a directory/],
    ['a directory that is also a file', ['a/b', 'a'], /both a file and a directory/],
  ])('refuses %s', (_, paths, problem) => {
    expect(() => {
      checkUploadFiles(paths.map((path) => file(path)));
    }).toThrow(problem);
  });

  it.each([
    ['a large file', [file('a', { bytes: LIMITS.deployFileBytesMax + 1 })], /at most/],
    ['many files', Array.from({ length: LIMITS.deployFilesMax + 1 }, (_, index) => file(`f${index}`)), /at most 10000/],
    ['much in all', Array.from({ length: 17 }, (_, index) => file(`f${index}`, { bytes: LIMITS.deployFileBytesMax })), /bytes in all/],
    ['a negative size', [file('a', { bytes: -1 })], /no size/],
    ['no hash', [file('a', { sha256: 'x' })], /no SHA-256/],
    ['one hash with two sizes', [file('a', { sha256: 'b'.repeat(64) }), file('c', { sha256: 'b'.repeat(64), bytes: 2 })], /another size/],
  ])('refuses %s', (_, files, problem) => {
    expect(() => {
      checkUploadFiles(files);
    }).toThrow(problem);
  });
});
