// `npm run bench [-- NAME …] [--json FILE] [--hog KIND]`: each bench prints ours, the peer of the same run, and the ratio.
import { HOGS } from './hog-app.ts';
import { type BenchTable, printTable, writeJson } from './table.ts';

const BENCHES: Readonly<Record<string, () => Promise<{ run: (options: object) => Promise<BenchTable> }>>> = {
  router: () => import('./router.ts'),
  coldstart: () => import('./coldstart.ts'),
  scale: () => import('./scale.ts'),
  isolation: () => import('./isolation.ts'),
  datastore: () => import('./datastore.ts'),
  'datastore-v1': () => import('./datastore-v1.ts'),
  growth: () => import('./growth.ts'),
  tablets: () => import('./tablets.ts'),
  bigtable: () => import('./bigtable.ts'),
  ycsb: () => import('./ycsb.ts'),
  memcache: () => import('./memcache.ts'),
  gql: () => import('./gql.ts'),
};

const args = process.argv.slice(2);
const jsonFile = takeOption('--json');
const kind = takeOption('--hog');
const hog = HOGS.find((known) => known === kind);
const isAsked = args.includes('--help');
const unknown = args.filter((name) => name !== '--help' && !Object.hasOwn(BENCHES, name));
if (isAsked || unknown.length > 0 || jsonFile === '' || hog !== kind) {
  console.error(
    `Usage: npm run bench [-- NAME …] [--json FILE] [--hog KIND]
  NAME: ${Object.keys(BENCHES).join(', ')}; none for all
  KIND: ${HOGS.join(', ')}; which hog isolation measures, none for all
  Example: npm run bench -- router --json build/router.json`,
  );
  if (unknown.length > 0 && !isAsked) console.error(`\nUnknown bench: ${unknown.join(', ')}`);
  process.exit(isAsked ? 0 : 1);
}

const tables: BenchTable[] = [];
for (const name of args.length > 0 ? args : Object.keys(BENCHES)) {
  const bench = await BENCHES[name]?.();
  if (!bench) continue;
  const table = await bench.run(hog === undefined ? {} : { hogs: [hog] });
  printTable(table);
  tables.push(table);
}
if (jsonFile !== undefined) await writeJson(jsonFile, tables);

/** Takes an option and its value out of the arguments; '' when the value is missing. */
function takeOption(name: string): string | undefined {
  const at = args.indexOf(name);
  return at < 0 ? undefined : (args.splice(at, 2)[1] ?? '');
}
