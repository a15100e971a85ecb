// `npm run bench [-- NAME …] [--json FILE]`: each bench prints ours, the peer of the same run, and the ratio.
import { type BenchTable, printTable, writeJson } from './table.ts';

const BENCHES: Readonly<Record<string, () => Promise<{ run: (options: object) => Promise<BenchTable> }>>> = {
  router: () => import('./router.ts'),
  coldstart: () => import('./coldstart.ts'),
  scale: () => import('./scale.ts'),
  isolation: () => import('./isolation.ts'),
  datastore: () => import('./datastore.ts'),
  growth: () => import('./growth.ts'),
  tablets: () => import('./tablets.ts'),
  bigtable: () => import('./bigtable.ts'),
  ycsb: () => import('./ycsb.ts'),
  memcache: () => import('./memcache.ts'),
  gql: () => import('./gql.ts'),
};

const args = process.argv.slice(2);
const jsonAt = args.indexOf('--json');
const jsonFile = jsonAt < 0 ? undefined : args[jsonAt + 1];
if (jsonAt >= 0) args.splice(jsonAt, 2);
const unknown = args.filter((name) => !Object.hasOwn(BENCHES, name));
if (args.includes('--help') || unknown.length > 0 || (jsonAt >= 0 && jsonFile === undefined)) {
  console.error(
    `Usage: npm run bench [-- NAME …] [--json FILE]\n  NAME: ${Object.keys(BENCHES).join(', ')}; none for all\n  Example: npm run bench -- router --json build/router.json`,
  );
  if (unknown.length > 0 && !args.includes('--help')) console.error(`\nUnknown bench: ${unknown.join(', ')}`);
  process.exit(args.includes('--help') ? 0 : 1);
}

const tables: BenchTable[] = [];
for (const name of args.length > 0 ? args : Object.keys(BENCHES)) {
  const bench = await BENCHES[name]?.();
  if (!bench) continue;
  const table = await bench.run({});
  printTable(table);
  tables.push(table);
}
if (jsonFile !== undefined) await writeJson(jsonFile, tables);
