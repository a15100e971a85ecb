// Makes the directory that an image worker runs from: its program in one file, and sharp with its native parts.
// Links instead of copies where the file system can: libvips has 18 MB.
import { build } from 'esbuild';
import { copyFileSync, cpSync, existsSync, linkSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './steps.mjs';

export async function bundleImageWorker(directory) {
  mkdirSync(directory, { recursive: true });
  await build({
    absWorkingDir: root,
    entryPoints: { worker: 'runtime/backends/image-worker/main.ts' },
    outdir: directory,
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'cjs',
    external: ['sharp'],
    logLevel: 'warning',
  });
  writeFileSync(join(directory, 'package.json'), '{"type":"commonjs"}\n');
  for (const name of packagesOf('sharp')) linkTree(join(root, 'node_modules', name), join(directory, 'node_modules', name));
}

/** The package and what it needs, of which what this machine does not need was not installed. */
function packagesOf(name, found = new Set()) {
  if (found.has(name) || !existsSync(join(root, 'node_modules', name))) return found;
  found.add(name);
  const { dependencies, optionalDependencies } = JSON.parse(readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8'));
  for (const each of Object.keys({ ...dependencies, ...optionalDependencies })) packagesOf(each, found);
  return found;
}

function linkTree(from, to) {
  mkdirSync(to, { recursive: true });
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) linkTree(source, target);
    else if (entry.isFile()) linkFile(source, target);
    else cpSync(source, target, { dereference: true });
  }
}

function linkFile(source, target) {
  if (existsSync(target)) return;
  try {
    linkSync(source, target);
  } catch {
    // Another file system, or one without links.
    copyFileSync(source, target);
  }
}
