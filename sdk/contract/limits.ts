// Every limit of the platform: one table, the unit last in the name, the reason beside it.
// docs/limits.md is written from it; a test holds the two together. Over a limit is an error with a code.

export interface LimitRow {
  readonly value: number;
  readonly reason: string;
}

const limit = (value: number, reason: string): LimitRow => ({ value, reason });

const KiB = 1024;
const MiB = 1024 * KiB;

/* prettier-ignore */
export const LIMIT_ROWS = {
  // Wire between processes, and between an instance and the platform
  wireFrameBytesMax: limit(12 * MiB, 'A 10 MiB API request (App Engine) with its envelope'),
  wireDepthMax: limit(64, 'Nesting of one message; entities nest at most 20 deep, queries less'),
  wireItemsMax: limit(200_000, 'Array items and map entries in one message, so that a small frame cannot become a large heap'),
  wireCallsInFlightMax: limit(1_000, 'Calls under way on one connection from an instance'),
  wireConnectionsMax: limit(16, 'Connections from one instance to one of its sockets'),
  wireHalfFrameMs: limit(10_000, 'How long a frame may stay half sent before the connection is closed'),
  wireOutgoingBytesMax: limit(32 * MiB, 'Answers that a peer has not read; beyond, its further calls are not read'),

  // GQL
  gqlStatementBytesMax: limit(10 * KiB, 'Earley parsing is cubic at worst, and no sensible statement is longer'),
  gqlDepthMax: limit(20, 'Nested parentheses in a condition'),
  gqlTokensMax: limit(2_000, 'Words and signs of one statement: parsing takes about 6 microseconds for each, and blocks'),
  gqlCacheEntriesMax: limit(1_000, 'Parsed statements kept by text'),
  gqlCacheTextBytesMax: limit(512 * KiB, 'Text of the statements kept; a parsed tree takes up to a hundred times its text'),

  // Datastore (App Engine: reference, section 3.6)
  entityBytesMax: limit(1_048_572, 'App Engine: 1 MiB less 4 bytes'),
  indexedValueBytesMax: limit(1_500, 'App Engine: UTF-8 bytes of an indexed string or blob'),
  keyNameBytesMax: limit(1_500, 'App Engine: kind, name, property name'),
  namespaceCharactersMax: limit(100, 'App Engine: [0-9A-Za-z._-]{0,100}'),
  keyBytesMax: limit(6 * KiB, 'App Engine: a whole key'),
  keyPathElementsMax: limit(100, 'App Engine'),
  entityDepthMax: limit(20, 'App Engine: entities embedded in entities'),
  lookupKeysMax: limit(1_000, 'App Engine'),
  commitMutationsMax: limit(500, 'App Engine\'s clients send at most this many'),
  transactionBytesMax: limit(10 * MiB, 'App Engine'),
  transactionIdleMs: limit(60_000, 'App Engine: an abandoned transaction ends'),
  transactionLifeMs: limit(270_000, 'App Engine: no transaction lives longer'),
  transactionsOpenMax: limit(1_000, 'Open transactions of one app, since each pins a snapshot'),
  indexEntriesPerEntityMax: limit(20_000, 'App Engine: built-in and composite'),
  compositeIndexesMax: limit(200, 'App Engine: per app'),
  compositePropertiesMax: limit(100, 'App Engine: in one composite index'),
  queryFiltersMax: limit(100, 'App Engine: filters, orders and ancestor together'),
  queryInValuesMax: limit(30, 'App Engine: values of IN'),
  queryDisjunctionsMax: limit(30, 'App Engine: branches after expanding IN and OR'),
  queryAggregationsMax: limit(5, 'App Engine: aggregations of one query'),
  queryBatchResultsMax: limit(300, 'App Engine: results of one batch; the client asks for the next'),
  queryBatchBytesMax: limit(4 * MiB, 'Bytes of one batch of results'),
  queryBatchRowsMax: limit(20_000, 'Index rows read for one batch; a sparse join goes on in the next'),
  aggregationMs: limit(60_000, 'App Engine: one aggregation query'),
  allocateIdsMax: limit(500, 'App Engine\'s clients ask for at most this many at once'),
  kindsListedMax: limit(1_000, 'Kinds of one namespace that a list names'),
  namespacesListedMax: limit(1_000, 'Namespaces of one app that a list names'),
  storeRecentWritesMax: limit(250_000, 'Keys of recent commits kept to check open transactions against; an older transaction conflicts'),
  storeCommitsQueuedMax: limit(10_000, 'Commits that wait for the batch being written'),
  storeBatchBytesMax: limit(8 * MiB, 'Commits that share one fsync'),
  storeTransactionBytesMax: limit(64 * MiB, 'Rows of one commit with its index rows, since they are held in memory'),
  storeTransactionReadsMax: limit(100_000, 'Keys and ranges that one transaction reads, since they are kept until it ends'),
  tabletBytesMax: limit(64 * MiB, 'A tablet with more is cut in two; Bigtable used 100 to 200 MB on larger machines'),
  tabletsMax: limit(10_000, 'Tablets of one server; beyond, they grow instead'),

  // Router
  requestBodyBytesMax: limit(32 * MiB, 'App Engine: request size'),
  responseBodyBytesMax: limit(32 * MiB, 'App Engine: response size of an instance'),
  requestHeaderBytesMax: limit(16 * KiB, 'App Engine\'s front end; more is 431'),
  requestHeadersMax: limit(100, 'Header lines of one request; more is 431'),
  requestHeaderMs: limit(10_000, 'Time to send all headers'),
  requestDeadlineMs: limit(600_000, 'App Engine second generation, automatic scaling: 10 minutes'),
  pendingMsMax: limit(10_000, 'App Engine: a request waits at most this long for an instance'),
  holdQueueEntriesMax: limit(1_000, 'Requests of one version that wait for an instance'),
  clientConnectionsPerAddressMax: limit(1_000, 'Open connections from one client address'),
  clientRequestsPerConnectionMax: limit(100, 'Requests under way on one client connection (pipelining); no browser sends more than one'),
  clientIdleMs: limit(60_000, 'An idle client connection is closed after this time; proxies in front keep theirs about as long'),
  requestBodyMs: limit(300_000, 'Time to send a whole request: 32 MB at 1 Mbit/s take 270 s'),
  requestBodyBytesPerSecondMin: limit(240, 'A body that comes slower than this over 10 s, while the app wants it, is cut'),
  responseStallMs: limit(60_000, 'A client that takes none of a waiting response for this long is cut'),
  responseHeaderBytesMax: limit(64 * KiB, 'All header lines of an app\'s response; more is 502'),
  responseInformationalMax: limit(8, '1xx answers before the final one; more is 502'),
  routeRetriesMax: limit(2, 'Other instances that a request is given to after its first'),
  routeTableWaitMs: limit(3_000, 'How long a request waits for the first route table after a start'),
  routeHostsCachedMax: limit(10_000, 'Host names whose route is remembered; more are looked up each time'),
  routePatternStepsMax: limit(2_000_000, 'Steps of matching one path against url patterns: about 20 ms'),
  routePatternProgramMax: limit(2_000, 'Instructions of one compiled url pattern'),
  routerDrainMs: limit(10_000, 'Requests under way get this long to finish when the router stops'),
  upstreamIdleMs: limit(60_000, 'An instance\'s sockets are forgotten when nothing used them for this long'),
  webSocketMs: limit(3_600_000, 'App Engine flexible: a WebSocket lasts at most an hour'),
  webSocketIdleMs: limit(600_000, 'A WebSocket on which nothing moves for this long is closed'),
  sessionMs: limit(86_400_000, 'App Engine: a session of an app lasts a day'),
  loginFormMs: limit(3_600_000, 'How long a log-in page may stay open before its form is sent'),
  loginBodyBytesMax: limit(16 * KiB, 'The form of a log-in page'),
  loginUrlCharactersMax: limit(2_048, 'App Engine: where a log-in or log-out goes on to'),
  staticCacheBytesMax: limit(16 * MiB, 'Small static files kept in memory'),
  staticCacheFileBytesMax: limit(64 * KiB, 'A static file up to this size is kept in memory'),

  // Instances
  instancesPerHostMax: limit(200, 'Instances on one host'),
  instancesPerVersionMax: limit(20, 'App Engine: max_instances of new projects'),
  instanceReadyMs: limit(30_000, 'Time from start until the app listens'),
  instanceStopGraceMs: limit(3_000, 'From SIGTERM to SIGKILL, after draining'),
  instanceStartBackoffMsMax: limit(60_000, 'Between two tries to start a version whose instances fail to start; from 1 s, doubling'),
  instanceKeepAliveMs: limit(900_000, 'How long the last instance of a version stays without a request'),
  instanceWarmupMsMax: limit(10_000, 'How long an instance may answer /_ah/warmup before it takes requests all the same'),
  launchPlanWaitMs: limit(5_000, 'How long a deploy that warms its version waits until the router has heard of it'),
  instanceMemoryBytesMax: limit(384 * MiB, 'App Engine: class F1'),
  instancePidsMax: limit(256, 'Processes and threads of one instance; Node alone has about 11'),
  instanceTmpBytesMax: limit(64 * MiB, '/tmp of one instance; counts as its memory'),
  instanceLogLineBytesMax: limit(16 * KiB, 'One line of an app\'s log; the rest of the line is cut'),
  instanceLogLinesPerSecondMax: limit(500, 'Lines an instance may log in a second on average; more are dropped and counted'),
  instanceStderrTailBytesMax: limit(8 * KiB, 'What is kept of stderr to explain a failed start'),
  hostWatchEventsMax: limit(10_000, 'Changes of instances that a watcher has not taken; beyond, it must begin again'),

  // Calls of services
  apiCallsInFlightMax: limit(1_000, 'Calls of one service that one app may have under way'),

  // memcache
  cacheKeyBytesMax: limit(250, 'App Engine: UTF-8 bytes of a key; the SDK sends the SHA-256 of longer ones'),
  cacheItemBytesMax: limit(1 * MiB, 'App Engine: key, value and 73 bytes for keeping them'),
  cacheBatchItemsMax: limit(1_000, 'Items of one call; the SDK sends more in parts'),
  cacheBatchBytesMax: limit(8 * MiB, 'Keys and values of one call or answer, since the wire carries 12 MiB; the SDK sends more (App Engine: 32 MB) in parts'),
  cacheRelativeSecondsMax: limit(2_592_000, 'App Engine: an expiration beyond 30 days is a time since 1970'),
  cacheLockSecondsMax: limit(86_400, 'How long a deleted key may refuse to be added'),
  cacheAppBytesMax: limit(64 * MiB, 'Share of one app; beyond it its least recently used items go'),
  cacheBytesMax: limit(256 * MiB, 'All apps together; beyond it the app that holds most gives way'),

  // URL fetch
  fetchUrlBytesMax: limit(10_240, 'App Engine: a URL to fetch'),
  fetchRequestHeaderBytesMax: limit(16 * KiB, 'App Engine: headers of a request to fetch'),
  fetchRequestBytesMax: limit(10 * MiB, 'App Engine: body of a request to fetch'),
  fetchAnswerHeaderBytesMax: limit(64 * KiB, 'Headers of a fetched answer, as of an app\'s own response'),
  fetchAnswerBytesMax: limit(32 * MiB, 'App Engine: body of a fetched answer'),
  fetchContentBytesMax: limit(10 * MiB, 'Body that one call of the SDK\'s urlFetch gives back: it goes in one frame. fetch and http have fetchAnswerBytesMax'),
  fetchDeadlineMs: limit(10_000, 'App Engine: urlFetch\'s deadline unless the call says another'),
  fetchDeadlineMsMax: limit(60_000, 'App Engine: urlFetch\'s longest deadline'),
  fetchRedirectsMax: limit(5, 'App Engine: redirects that urlFetch follows'),
  fetchesOpenPerAppMax: limit(200, 'Requests of one app to the outside at the same time'),
  fetchConnectMs: limit(10_000, 'Time to resolve a name and to connect, TLS included'),
  fetchIdleMs: limit(10_000, 'A connection to the outside that an app does not use is closed after this time'),
  egressConnectionsMax: limit(256, 'Connections of one instance to its egress.sock'),
  egressIdleMs: limit(60_000, 'A connection to egress.sock that is not used is closed after this time'),
  egressStallMs: limit(600_000, 'A target that says nothing for this long is cut off; clients in apps have shorter times of their own'),
  // Usage, quotas, billing
  usageRowMs: limit(55_000, 'A usage row is closed after this time, then reported and written within 5 s: a power loss loses at most a minute of charges'),
  usageRowsUnsettledMax: limit(5_000, 'Closed usage rows that one process keeps until they are on disk; beyond, rows stay open for longer'),
  usageReportRowsMax: limit(500, 'Usage rows of one report'),
  usageDaysMax: limit(62, 'Days that one question about usage may span; usage rows are kept as long, the sums of days for good'),
  metricsMinutesMax: limit(1_440, 'Time that charts may span'),
  dailyBudgetMicrosMax: limit(1_000_000_000_000, 'One million US dollars a day: a slip of the keyboard must not be a budget'),
  usagePersistRowsMax: limit(100, 'Usage rows written in one transaction; each is one of its 500 mutations'),

  // Accounts of people
  accountsMax: limit(10_000, 'Accounts on one platform: they are held in memory, and each router is told of changes'),
  accountEmailCharactersMax: limit(254, 'An e-mail address (RFC 5321)'),
  accountPasswordCharactersMin: limit(8, 'NIST SP 800-63B: a password that a person chooses'),
  accountPasswordBytesMax: limit(1_024, 'More takes longer to read, and protects no better'),
  accountAdminAppsMax: limit(1_000, 'Apps of which one account is an administrator'),
  loginAttemptsPerAccountMax: limit(10, 'Failed tries to sign in to one account within loginAttemptsWindowMs'),
  loginAttemptsPerAddressMax: limit(50, 'Failed tries from one client address (of IPv6 the /64) within loginAttemptsWindowMs'),
  loginAttemptsWindowMs: limit(60_000, 'After a minute the tries before it count no more'),
  loginAttemptKeysMax: limit(100_000, 'Accounts and addresses whose tries are counted; beyond, the oldest are forgotten'),
  passwordHashesRunningMax: limit(2, 'Passwords that are hashed at the same time: each takes 19 MiB and a core for some 30 ms'),
  passwordHashesWaitingMax: limit(64, 'Log-ins that wait for that; more are refused'),

  // mail
  mailBytesMax: limit(10 * MiB, 'Texts and attachments of one message: what the wire carries (App Engine: 10 MB at first, 31.5 MB later)'),
  mailAdminBytesMax: limit(16 * KiB, 'App Engine: a message to the administrators'),
  mailRecipientsMax: limit(100, 'RFC 5321: mail servers take at least 100 recipients of one message'),
  mailAttachmentsMax: limit(50, 'Attachments of one message'),
  mailHeaderBytesMax: limit(998, 'RFC 5322: a line; of a subject, an address with its name, or an extra header'),
  mailUnderWayBytesMax: limit(32 * MiB, 'Messages of one app that are being composed and written'),
  mailSpoolMessagesMax: limit(1_000, 'Messages kept of one app; the oldest delivered one goes first'),
  mailSpoolBytesMax: limit(256 * MiB, 'Messages kept of one app, on disk'),
  mailListMax: limit(200, 'Messages of one listing'),
  mailDeliveriesMax: limit(4, 'Messages that are delivered at the same time'),
  mailSmtpMs: limit(60_000, 'How long an SMTP server may stay silent'),
  mailRetryMsMax: limit(3_600_000, 'Between two tries to deliver; from 10 s, doubling'),
  mailDeliveryMs: limit(345_600_000, 'RFC 5321: a message that nobody takes for 4 days has failed'),

  // Logs
  logFileBytesMax: limit(16 * MiB, 'A log file is rotated at this size'),
  logFilesMax: limit(4, 'Rotated files kept per app and kind of log'),
  logBufferBytesMax: limit(4 * MiB, 'Log rows of one app that wait for the disk; more are dropped and counted'),
  logReadRowsMax: limit(10_000, 'Rows that one reading of the log may ask for'),
  logFilterCharactersMax: limit(200, 'Text that rows of a log are filtered by'),

  // Task queues and cron (App Engine: reference, sections 2.2 and 2.3)
  queuesPerAppMax: limit(100, 'App Engine: queues of one app'),
  queueTasksMax: limit(100_000, 'Tasks that wait in one queue; more is QUEUE_FULL, until some are done'),
  queueRatePerSecondMax: limit(500, 'App Engine: tasks a second of one queue'),
  queueBucketSizeMax: limit(500, 'App Engine: bucket_size'),
  queueConcurrentRequestsMax: limit(1_000, 'App Engine\'s advice on max_concurrent_requests'),
  taskUrlCharactersMax: limit(2_083, 'App Engine: url of a task or cron job'),
  taskDeadlineMsMin: limit(15_000, 'App Engine: the shortest dispatch deadline; the longest is a request\'s'),
  taskBackoffSecondsMax: limit(86_400, 'Pause between two tries of a task or cron job'),
  taskBytesMax: limit(100 * KiB, 'App Engine: a push task with its url, headers and payload'),
  taskHeadersMax: limit(50, 'Headers that a task sets; the platform adds its own'),
  tasksPerAddMax: limit(100, 'App Engine: tasks of one call'),
  taskEtaMsMax: limit(30 * 24 * 3_600_000, 'App Engine: how far ahead a task may be due'),
  taskNameReservedMs: limit(7 * 24 * 3_600_000, 'App Engine: how long the name of a task that is done stays taken'),
  taskNamesReservedMax: limit(100_000, 'Names of one app\'s done tasks that are remembered; beyond, the oldest are free again'),
  taskWindowEntriesMax: limit(2_000, 'Tasks of one queue that are scheduled in memory; later ones are read when their time comes'),
  taskDispatchesInFlightMax: limit(400, 'Tasks of all apps under way at once; each holds a request of the router'),
  taskListRowsMax: limit(200, 'Tasks of a queue that the admin API lists at once; each is read with its payload'),
  cronJobsPerAppMax: limit(250, 'App Engine: cron jobs of one app'),

  // Deploys
  deployFilesMax: limit(10_000, 'App Engine: files of one version'),
  deployFileBytesMax: limit(32 * MiB, 'App Engine: one file'),
  deployBytesMax: limit(512 * MiB, 'All files of one version together'),
  deployPathBytesMax: limit(1_024, 'Path of a file within the app'),
  deployManifestBytesMax: limit(4 * MiB, 'The list of files that a deploy begins with'),
  deployOpenMs: limit(3_600_000, 'An upload not finished in this time is dropped'),
  manifestBytesMax: limit(256 * KiB, 'app.yaml and its sister files'),
  manifestHandlersMax: limit(100, 'App Engine: handlers of app.yaml'),
  manifestPatternBytesMax: limit(512, 'One url pattern of app.yaml'),
  manifestNodesMax: limit(20_000, 'Values in app.yaml once its aliases are filled in'),
  manifestDepthMax: limit(16, 'Nesting of app.yaml; its own elements need four'),
  manifestEnvironmentBytesMax: limit(32 * KiB, 'Names and values of env_variables together'),
  deploysOpenMax: limit(32, 'Deploys begun and not finished, of one app'),
  deployIndexMs: limit(600_000, 'How long a deploy waits for its indexes to serve'),
  bundlesParallelMax: limit(16, 'Files copied at the same time while a deploy is staged'),
  buildCacheEntriesMax: limit(50, 'Builds kept for reuse; the longest unused goes first'),
  buildOutputLinesMax: limit(5_000, 'Lines of a build that a deploy passes on'),
  buildMs: limit(600_000, 'One build'),
  buildMemoryBytesMax: limit(2_048 * MiB, 'One build'),
  buildPidsMax: limit(1_024, 'Processes and threads of one build: npm runs several Nodes at once'),
  buildTmpBytesMax: limit(1_024 * MiB, '/tmp of one build, npm\'s cache included; counts as its memory'),
  buildsPerHostMax: limit(2, 'Builds at the same time; more wait their turn'),
  appsMax: limit(1_000, 'Apps on one platform: their routes are held in memory'),
  servicesPerAppMax: limit(105, 'App Engine: services of a paid app'),
  versionsPerAppMax: limit(210, 'App Engine: versions of a paid app'),

  // Console
  signInCodeMs: limit(3_600_000, 'A one-time sign-in link is worth nothing after this time'),
  signInCodesMax: limit(16, 'Sign-in links not used yet; the oldest goes first'),
  signInFailuresMax: limit(10, 'Wrong sign-in codes from one address within signInFailureWindowMs; then it waits'),
  signInFailureWindowMs: limit(60_000, 'Over which wrong sign-in codes are counted'),
  signInAddressesMax: limit(10_000, 'Addresses whose wrong sign-in codes are counted; the oldest is forgotten first'),
  consoleSessionMs: limit(43_200_000, 'A browser signs in to the console anew after 12 hours'),
  consoleSessionIdleMs: limit(7_200_000, 'A session of the console that nothing used for this long has ended'),
  consoleSessionsMax: limit(100, 'Browsers signed in to the console; the oldest is signed out first'),
  datastoreViewerBodyBytesMax: limit(8 * MiB, 'An entity as JSON: up to six characters for one byte of text'),
  datastoreViewerBatchesMax: limit(20, 'Batches read for one page of a query; a sparse one goes on with the next page'),
  consoleAssetCacheBytesMax: limit(32 * MiB, 'Files of the console kept in memory, each encoding counted'),
} as const satisfies Record<string, LimitRow>;

export type LimitName = keyof typeof LIMIT_ROWS;

/** The values alone: `LIMITS.entityBytesMax`. */
export const LIMITS = Object.freeze(Object.fromEntries(Object.entries(LIMIT_ROWS).map(([name, row]) => [name, row.value]))) as Readonly<
  Record<LimitName, number>
>;
