// Which way imports may point. ARCHITECTURE.md draws this; change both together.
const servers = ['gql', 'datastore', 'router', 'admin-console'];

const only = (name, allowed, to) => ({
  name,
  severity: 'error',
  from: { pathNot: [...allowed, '^tests/', '\\.test\\.ts$'] },
  to: { path: to },
});

module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    { name: 'not-to-tests', severity: 'error', from: { pathNot: '^tests/' }, to: { path: '^tests/' } },
    {
      name: 'sdk-is-the-bottom',
      severity: 'error',
      from: { path: '^sdk/' },
      to: { path: `^(${[...servers, 'runtime', 'sample-apps'].join('|')})/` },
    },
    {
      name: 'support-below-contract',
      severity: 'error',
      from: { path: '^sdk/support/' },
      to: { path: '^sdk/(contract/|client/|cli/|index\\.ts)' },
    },
    { name: 'contract-below-client', severity: 'error', from: { path: '^sdk/contract/' }, to: { path: '^sdk/(client/|cli/|index\\.ts)' } },
    { name: 'client-not-to-cli', severity: 'error', from: { path: '^sdk/client/' }, to: { path: '^sdk/(cli/|index\\.ts)' } },
    { name: 'cli-not-to-client', severity: 'error', from: { path: '^sdk/cli/' }, to: { path: '^sdk/(client/|index\\.ts)' } },
    ...servers.map((folder) => ({
      name: `${folder}-imports-only-the-contract`,
      severity: 'error',
      from: { path: `^${folder}/`, pathNot: '\\.test\\.ts$' },
      to: {
        path: '^(sdk|gql|datastore|router|admin-console|runtime|sample-apps)/',
        pathNot: [`^${folder}/`, '^sdk/(contract|support)/', ...(folder === 'datastore' ? ['^gql/'] : [])],
      },
    })),
    // The single-page app runs in a browser: of the platform it knows the admin API's shapes, and nothing of the server beside it.
    {
      name: 'web-imports-only-the-admin-contract',
      severity: 'error',
      from: { path: '^admin-console/web/' },
      to: { path: '^(sdk|admin-console)/', pathNot: ['^admin-console/web/', '^sdk/contract/(admin/|errors\\.ts|usage\\.ts)'] },
    },
    {
      name: 'web-not-to-node',
      severity: 'error',
      from: { path: '^admin-console/web/', pathNot: '\\.test\\.ts$' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'console-server-not-to-web',
      severity: 'error',
      from: { path: '^(admin-console/[^/]+\\.ts$|runtime/)' },
      to: { path: '^admin-console/web/' },
    },
    { name: 'runtime-not-to-samples', severity: 'error', from: { path: '^runtime/' }, to: { path: '^sample-apps/' } },
    {
      name: 'runtime-not-to-client-or-cli',
      severity: 'error',
      from: { path: '^runtime/', pathNot: '^runtime/languages/' },
      to: { path: '^sdk/(cli/|index\\.ts)' },
    },
    {
      name: 'only-the-composition-root-builds-storage',
      severity: 'error',
      from: { path: '^(runtime|router|admin-console)/', pathNot: '^runtime/platform/' },
      to: { path: '^datastore/storage/' },
    },
    // Inside the datastore: storage < codec, settings, tablet < index, history < transaction, query, integrity < datastore.ts, api.
    {
      name: 'storage-is-below',
      severity: 'error',
      from: { path: '^datastore/storage/' },
      to: { path: '^datastore/(codec|settings|tablet|index|history|query|transaction|integrity|api|datastore|reads)' },
    },
    {
      name: 'codec-stands-alone',
      severity: 'error',
      from: { path: '^datastore/codec/' },
      to: { path: '^datastore/(storage|settings|tablet|index|history|query|transaction|integrity|api|datastore|reads)' },
    },
    {
      name: 'tablet-above-storage',
      severity: 'error',
      from: { path: '^datastore/(settings|tablet)/' },
      to: { path: '^datastore/(index|history|query|transaction|integrity|api|datastore|reads)' },
    },
    {
      name: 'index-above-tablet',
      severity: 'error',
      from: { path: '^datastore/(index|history)/' },
      to: { path: '^datastore/(query|transaction|integrity|api|datastore|reads)' },
    },
    {
      name: 'query-and-transaction-below-facade',
      severity: 'error',
      from: { path: '^datastore/(query|transaction|integrity)/', pathNot: '\\.test\\.ts$' },
      to: { path: '^datastore/(api|datastore|reads)' },
    },
    // Libraries with one home.
    only('only-storage-imports-level', ['^datastore/storage/'], 'node_modules/(level|classic-level|abstract-level)/'),
    only('only-storage-imports-pg', ['^datastore/storage/'], 'node_modules/(pg|pg-[a-z-]+|@types/pg)/'),
    only('only-router-imports-http-proxy', ['^router/'], 'node_modules/(http-proxy)/'),
    only('only-gql-imports-nearley', ['^gql/'], 'node_modules/(nearley|moo)/'),
    only('only-the-datastore-api-imports-grpc', ['^datastore/api/v1/'], 'node_modules/(@grpc|@bufbuild)/'),
    only('only-wire-imports-msgpackr', ['^sdk/contract/wire/'], 'node_modules/msgpackr/'),
    only(
      'only-web-imports-react',
      ['^admin-console/web/', '^tests/bench/gql'],
      'node_modules/(react|react-dom|react-router|@mantine|@tanstack|@codemirror|uplot)/',
    ),
    only('only-console-imports-express', ['^admin-console/', '^sample-apps/'], 'node_modules/express/'),
    only('only-the-image-worker-imports-sharp', ['^runtime/backends/image-worker/'], 'node_modules/sharp/'),
    {
      name: 'nobody-loads-the-image-worker',
      severity: 'error',
      from: { pathNot: ['^runtime/backends/image-worker/', '\\.test\\.ts$'] },
      to: { path: '^runtime/backends/image-worker/(main|picture)' },
    },
    {
      name: 'only-host-and-sandbox-spawn',
      severity: 'error',
      from: {
        path: '^(sdk|gql|datastore|router|admin-console|runtime)/',
        // The forwarder runs inside the sandbox, as the first process of an instance.
        pathNot: [
          '^runtime/(host|sandbox|setup)/',
          '^runtime/languages/forwarder/forwarder\\.cjs$',
          '^sdk/cli/browser\\.ts$',
          '\\.test\\.ts$',
        ],
      },
      to: { path: '^(node:)?child_process$' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|coverage|build)/' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default', 'types'] },
  },
};
