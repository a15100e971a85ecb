import { configDefaults, defineConfig } from 'vitest/config';

const suite = (name: string, include: string[], options: object = {}) => ({
  test: { name, include, exclude: [...configDefaults.exclude, 'dist/**'], ...options },
});

/** They wait more than they compute, so two of them share the machine; after the suites that compute, before those that measure. */
const PROCESSES = { maxWorkers: 2, sequence: { groupOrder: 1 } };

export default defineConfig({
  test: {
    projects: [
      suite('unit', ['{sdk,gql,datastore,router,runtime,admin-console}/**/*.test.ts'], { testTimeout: 20_000 }),
      suite('contract', ['tests/contract/**/*.test.ts'], { testTimeout: 30_000 }),
      suite('architecture', ['tests/architecture/**/*.test.ts'], { testTimeout: 60_000, fileParallelism: false }),
      suite('simulation', ['tests/simulation/**/*.test.ts'], { testTimeout: 60_000 }),
      suite('hostile', ['tests/hostile/**/*.test.ts'], { testTimeout: 60_000, fileParallelism: false }),
      suite('integration', ['tests/integration/**/*.test.ts'], { testTimeout: 180_000, hookTimeout: 180_000, ...PROCESSES }),
      suite('browser', ['tests/browser/**/*.test.ts'], { testTimeout: 120_000, hookTimeout: 120_000, ...PROCESSES }),
    ],
  },
});
