// Makes dist/console/ with Vite: the console's single-page app, its files named by their content so that browsers keep them.
// Run alone, it builds just that: node runtime/setup/console-bundle.mjs
import react from '@vitejs/plugin-react';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { root } from './steps.mjs';

export async function bundleConsole() {
  await build({
    configFile: false,
    root: join(root, 'admin-console', 'web'),
    base: '/',
    publicDir: 'public',
    logLevel: 'warn',
    plugins: [react()],
    build: {
      outDir: join(root, 'dist', 'console'),
      emptyOutDir: true,
      target: 'es2022',
      // A data: address would need a wider content security policy for fonts and scripts.
      assetsInlineLimit: 0,
      chunkSizeWarningLimit: 700,
      reportCompressedSize: false,
      rolldownOptions: {
        // The contract's modules hold types and constants: what is not used of them stays out.
        treeshake: { moduleSideEffects: [{ test: /\/sdk\/contract\//, sideEffects: false }] },
      },
    },
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await bundleConsole();
