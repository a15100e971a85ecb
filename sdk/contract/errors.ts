// The one table of errors. A code is stable: programs match on it, docs/errors.md explains it, a test ties the two.
// A row's message is constant; what varies goes into `details`. `mend` says what the reader can do about it.

export type GrpcCode =
  | 'CANCELLED'
  | 'INVALID_ARGUMENT'
  | 'DEADLINE_EXCEEDED'
  | 'NOT_FOUND'
  | 'ALREADY_EXISTS'
  | 'PERMISSION_DENIED'
  | 'RESOURCE_EXHAUSTED'
  | 'FAILED_PRECONDITION'
  | 'ABORTED'
  | 'UNIMPLEMENTED'
  | 'INTERNAL'
  | 'UNAVAILABLE'
  | 'UNAUTHENTICATED';

export interface ErrorRow {
  readonly httpStatus: number;
  readonly grpc: GrpcCode;
  /** Whether the same call may succeed when it is simply made again. */
  readonly retryable: boolean;
  readonly message: string;
  readonly mend: string;
}

const row = (httpStatus: number, grpc: GrpcCode, message: string, mend: string, retryable = false): ErrorRow => ({
  httpStatus,
  grpc,
  retryable,
  message,
  mend,
});

/* prettier-ignore */
export const ERRORS = {
  // General
  INTERNAL: row(500, 'INTERNAL', 'Something in the platform failed', 'Look at the platform log for this request id; it is a bug worth reporting'),
  CANCELLED: row(499, 'CANCELLED', 'The caller went away', 'Nothing to mend'),
  DEADLINE_EXCEEDED: row(504, 'DEADLINE_EXCEEDED', 'The call did not finish in time', 'Try again, or give it a longer deadline', true),
  INVALID_ARGUMENT: row(400, 'INVALID_ARGUMENT', 'An argument is not acceptable', 'Correct the argument that the details name'),

  // Calls between processes, and from an instance to the platform
  RPC_UNAVAILABLE: row(503, 'UNAVAILABLE', 'The service cannot be reached', 'It restarts by itself within seconds; try again', true),
  RPC_CONNECTION_LOST: row(503, 'UNAVAILABLE', 'The connection broke while the call was under way, so its outcome is unknown', 'Read what is there before you repeat a write', false),
  RPC_FRAME_TOO_LARGE: row(413, 'INVALID_ARGUMENT', 'The message is larger than the limit', 'Send less in one call'),
  RPC_FRAME_MALFORMED: row(400, 'INVALID_ARGUMENT', 'The message is not a well-formed frame', 'Use the SDK of this release'),
  RPC_UNKNOWN_METHOD: row(404, 'UNIMPLEMENTED', 'No such service or method', 'Use the SDK of this release'),
  RPC_OVERLOADED: row(503, 'RESOURCE_EXHAUSTED', 'Too many calls at once on this connection', 'Make fewer calls at the same time', true),

  // GQL
  GQL_SYNTAX: row(400, 'INVALID_ARGUMENT', 'GQL query error', 'Correct the statement at the place shown'),
  GQL_BIND: row(400, 'INVALID_ARGUMENT', 'Cannot bind GQL argument', 'Give each @name and @number that the statement uses a value of the right type'),
  GQL_TOO_LARGE: row(400, 'INVALID_ARGUMENT', 'The GQL statement is too large', 'Pass values as arguments instead of writing them into the statement'),

  // Datastore
  DS_INVALID: row(400, 'INVALID_ARGUMENT', 'The datastore cannot accept this', 'Correct what the details name'),
  DS_LIMIT: row(400, 'INVALID_ARGUMENT', 'A datastore limit is exceeded', 'See docs/limits.md for the limit that the details name'),
  DS_NOT_FOUND: row(404, 'NOT_FOUND', 'no entity to update', 'Insert or upsert the entity instead'),
  DS_ALREADY_EXISTS: row(409, 'ALREADY_EXISTS', 'entity already exists', 'Update or upsert the entity instead'),
  DS_TX_CONFLICT: row(409, 'ABORTED', 'Aborted due to cross-transaction contention', 'Run the transaction again; the SDK does so by itself', true),
  DS_TX_INVALID: row(400, 'INVALID_ARGUMENT', 'The referenced transaction has expired or is no longer valid.', 'Begin a new transaction'),
  DS_NEED_INDEX: row(400, 'FAILED_PRECONDITION', 'no matching index found', 'Add the lines that the details show to index.yaml and deploy'),
  DS_TOO_OLD: row(400, 'FAILED_PRECONDITION', 'The requested snapshot version is too old.', 'Read at a later time; an hour of history is kept'),
  DS_INDEX_NOT_FOUND: row(404, 'NOT_FOUND', 'There is no such composite index', 'See `appengine datastore indexes list`'),
  DS_FORBIDDEN: row(403, 'PERMISSION_DENIED', 'The key or cursor belongs to another app', 'An app reaches only its own data'),
  DS_CORRUPT: row(500, 'INTERNAL', 'Stored bytes cannot be read back', 'Stop the platform and restore the data directory from a backup'),
  DS_DAMAGED: row(500, 'INTERNAL', 'The datastore check found what should not be', 'Index rows are mended with --repair; for others restore the data directory from a backup'),
  EXPORT_UNUSABLE: row(400, 'INVALID_ARGUMENT', 'The export cannot be used', 'Export again into an empty directory, or take another copy of this one'),
  IMPORT_LINE_REFUSED: row(400, 'INVALID_ARGUMENT', 'A line cannot be imported', 'Correct it, or leave such lines out with --skip-errors; the same command goes on where it stopped'),
  DS_CLOSED: row(503, 'UNAVAILABLE', 'The store is closed or stopped after a failed write', 'It is reopened by itself; try again', true),
  V1_REQUEST_TOO_LARGE: row(413, 'RESOURCE_EXHAUSTED', 'The request is larger than the limit', 'Send less in one call'),
  V1_MEDIA_TYPE: row(415, 'INVALID_ARGUMENT', 'This form of a request is not known', 'Send application/x-protobuf or application/json, plain or in gzip'),
  V1_WEB_PAGE_REFUSED: row(403, 'PERMISSION_DENIED', 'What a web page may have sent is refused', 'Ask from a program, at the address that the port listens on; with a token any name of it will do'),
  V1_SURFACE_REFUSED: row(403, 'PERMISSION_DENIED', 'This server may not be reset or stopped by a request', 'Start it with --ephemeral or --allow-reset to allow that'),
  DS_OVERLOADED: row(503, 'RESOURCE_EXHAUSTED', 'The datastore has too much to do', 'Try again after a pause, with fewer calls at once', true),

  // The public datastore API
  V1_UNAUTHENTICATED: row(401, 'UNAUTHENTICATED', 'The datastore wants a token', 'Make one with `appengine datastore tokens create --app ID`, and send it as `Authorization: Bearer TOKEN`'),
  V1_PROJECT_FORBIDDEN: row(403, 'PERMISSION_DENIED', 'The project is out of reach', 'Use the project that the token is bound to, or a token of the other app'),
  V1_READ_ONLY: row(403, 'PERMISSION_DENIED', 'This token only reads', 'Use a token that was made without --read-only'),

  // Routing and serving
  ROUTE_UNKNOWN_HOST: row(404, 'NOT_FOUND', 'No app answers at this host name', 'Check the host name, or deploy the app'),
  ROUTE_NOTHING_SERVING: row(404, 'NOT_FOUND', 'This app has no version that serves', 'Deploy a version, or move traffic to one'),
  ROUTE_STATIC_NOT_FOUND: row(404, 'NOT_FOUND', 'There is no such file', 'Check the path and the handlers of app.yaml'),
  ROUTE_METHOD_NOT_ALLOWED: row(405, 'INVALID_ARGUMENT', 'The method is not allowed here', 'Use one of the methods in the Allow header'),
  ROUTE_BAD_REQUEST: row(400, 'INVALID_ARGUMENT', 'The request is malformed', 'Correct the request'),
  ROUTE_BODY_TOO_LARGE: row(413, 'INVALID_ARGUMENT', 'The request body is larger than 32 MB', 'Send less'),
  ROUTE_URL_TOO_LONG: row(414, 'INVALID_ARGUMENT', 'The URL is longer than the limit', 'Send what is long in the body of a POST'),
  ROUTE_HEADERS_TOO_LARGE: row(431, 'INVALID_ARGUMENT', 'The request headers are larger than the limit', 'Send fewer or smaller headers'),
  ROUTE_STARTING: row(503, 'UNAVAILABLE', 'The platform is starting', 'Try again in a second', true),
  ROUTE_QUEUE_FULL: row(503, 'UNAVAILABLE', 'Too many requests wait for an instance', 'Try again, or raise max_instances', true),
  ROUTE_APP_BUSY: row(503, 'UNAVAILABLE', 'The app has too many requests under way', 'Try again, or make the handler faster', true),
  ROUTE_CLIENT_BUSY: row(429, 'RESOURCE_EXHAUSTED', 'Too many requests of this address are under way', 'Wait for answers before sending more', true),
  ROUTE_OVERLOADED: row(503, 'UNAVAILABLE', 'The router has too many requests under way', 'Try again', true),
  ROUTE_PENDING_TIMEOUT: row(503, 'UNAVAILABLE', 'No instance became free in time', 'Try again, or raise max_instances', true),
  ROUTE_INSTANCE_FAILED: row(500, 'INTERNAL', 'The instance failed before it answered', 'Look at the app\'s log'),
  ROUTE_START_FAILED: row(500, 'UNAVAILABLE', 'No instance of the app could be started', 'Look at the app\'s log: its last lines say why'),
  ROUTE_BAD_RESPONSE: row(502, 'INTERNAL', 'The app sent a malformed response', 'Look at the app\'s log'),
  ROUTE_DEADLINE: row(504, 'DEADLINE_EXCEEDED', 'The app did not answer before its deadline', 'Make the handler faster, or do the work in a task'),
  ROUTE_PATH_RESERVED: row(403, 'PERMISSION_DENIED', 'Only the platform itself may call this path', 'Use another path'),
  ROUTE_REQUEST_TIMEOUT: row(408, 'DEADLINE_EXCEEDED', 'The request was sent too slowly', 'Send it again over a better connection', true),
  ROUTE_RESPONSE_TOO_LARGE: row(500, 'INTERNAL', 'The app\'s response is larger than 32 MB', 'Serve large files as static files, or in parts'),

  // Instances
  INSTANCE_EXITED: row(500, 'FAILED_PRECONDITION', 'The app exited while it started', 'Mend what its last lines, shown with this error, say'),
  INSTANCE_NEVER_LISTENED: row(500, 'DEADLINE_EXCEEDED', 'The app did not listen on $PORT in time', 'Listen on process.env.PORT, and do slow work after that'),
  INSTANCE_START_REFUSED: row(500, 'FAILED_PRECONDITION', 'The app did not accept its start', 'Answer /_ah/start with a status from 200 to 299, or leave it out: 404 is fine as well'),
  INSTANCE_SPAWN_FAILED: row(500, 'INTERNAL', 'The sandbox could not be started', 'Run `appengine serve` with a working bubblewrap, or with --sandbox=process for development'),
  INSTANCE_LIMIT: row(503, 'RESOURCE_EXHAUSTED', 'The host runs as many instances as it may', 'Stop versions that are not needed, or raise the limit', true),
  INSTANCE_MEMORY: row(503, 'RESOURCE_EXHAUSTED', 'The machine has no memory left for another instance', 'Stop versions that are not needed, take a smaller instance_class, or raise --memory-budget', true),

  // Manifests and deploys
  MANIFEST_MISSING: row(400, 'INVALID_ARGUMENT', 'There is no app.yaml', 'Create an app.yaml in that directory; the smallest is the line `runtime: nodejs`'),
  MANIFEST_INVALID: row(400, 'INVALID_ARGUMENT', 'The file is not valid', 'Correct it at the line and column shown'),
  RUNTIME_UNKNOWN: row(400, 'INVALID_ARGUMENT', 'This runtime is not known', 'Use one of the runtimes that the details name'),
  APP_ID_INVALID: row(400, 'INVALID_ARGUMENT', 'The app id is not valid', 'Use lower-case letters, digits and hyphens, starting with a letter, at most 30 characters'),
  LABEL_INVALID: row(400, 'INVALID_ARGUMENT', 'The service or version name is not valid', 'Use lower-case letters, digits and hyphens, at most 63 characters, not starting or ending with a hyphen'),
  UPLOAD_REFUSED: row(400, 'INVALID_ARGUMENT', 'A file of the app cannot be uploaded', 'Remove it, or name it in .gcloudignore'),
  UPLOAD_INCOMPLETE: row(409, 'FAILED_PRECONDITION', 'Not all files of the deployment were uploaded', 'Run the deploy again'),
  RUNTIME_MISSING: row(503, 'FAILED_PRECONDITION', 'The programs of this runtime are not on this machine and could not be fetched', 'Let this machine reach an npm registry (npm_config_registry, HTTPS_PROXY) and deploy again, or install them by hand as docs/languages.md says', true),
  BUILD_FAILED: row(400, 'FAILED_PRECONDITION', 'The build failed', 'Mend what its last lines, shown with this error, say'),
  DEPLOY_CONFLICT: row(409, 'ABORTED', 'Another deploy of this service is under way', 'Wait for it to end, then try again', true),
  APP_NOT_FOUND: row(404, 'NOT_FOUND', 'There is no such app', 'See `appengine apps list`'),
  VERSION_NOT_FOUND: row(404, 'NOT_FOUND', 'There is no such version', 'See `appengine versions list`'),
  VERSION_EXISTS: row(409, 'ALREADY_EXISTS', 'This version exists, and versions never change', 'Choose another --version, or leave it out'),
  VERSION_HAS_TRAFFIC: row(409, 'FAILED_PRECONDITION', 'The version still receives traffic', 'Move its traffic to another version first: `appengine traffic set`'),
  VERSION_LIMIT: row(409, 'RESOURCE_EXHAUSTED', 'There is no room for another version', 'Delete versions that are not needed: `appengine versions delete`'),
  INDEX_FAILED: row(500, 'INTERNAL', 'An index of the app does not serve', 'Correct index.yaml, or look at the platform\'s log, then deploy again'),

  // Quotas and billing
  QUOTA_EXCEEDED: row(503, 'RESOURCE_EXHAUSTED', 'The app is over its quota', 'Wait until the quota resets, or enable billing: `appengine billing enable --app ID`'),
  BUDGET_INVALID: row(400, 'INVALID_ARGUMENT', 'The daily budget is not valid', 'Give an amount in US dollars with at most six decimals, such as 5 or 2.50'),
  QUOTA_FILE_INVALID: row(400, 'INVALID_ARGUMENT', 'The file of quotas or prices is not valid', 'Correct it at the place shown; docs/billing.md has an example'),

  // memcache
  CACHE_KEY_INVALID: row(400, 'INVALID_ARGUMENT', 'The cache key is not valid', 'Use 1 to 250 bytes of UTF-8 without control characters'),
  CACHE_VALUE_TOO_LARGE: row(413, 'INVALID_ARGUMENT', 'The cache value is too large', 'Store less under one key, or store it in the datastore'),
  CACHE_NOT_A_NUMBER: row(400, 'FAILED_PRECONDITION', 'The cached value cannot be incremented', 'Store an unsigned whole number of at most 20 digits under the key'),

  // mail
  MAIL_NO_RECIPIENT: row(400, 'INVALID_ARGUMENT', 'The message has no recipient', 'Give at least one address in to, cc or bcc'),
  MAIL_ADDRESS_INVALID: row(400, 'INVALID_ARGUMENT', 'A mail address is not valid', 'Correct the address that the details name'),
  MAIL_SENDER_REFUSED: row(403, 'PERMISSION_DENIED', 'The app may not send mail from this address', 'Use anything@ID.MAIL-DOMAIN, the address of an administrator, or one that the operator allows with --mail-sender'),
  MAIL_TOO_LARGE: row(413, 'INVALID_ARGUMENT', 'The message is too large', 'Send less; docs/limits.md names the limits'),
  MAIL_INVALID: row(400, 'INVALID_ARGUMENT', 'The message is not valid', 'Correct what the details name'),
  MAIL_SPOOL_FULL: row(503, 'RESOURCE_EXHAUSTED', 'The app has too much mail that is not delivered yet', 'Wait until it is delivered, or delete messages: `appengine mail list`', true),
  MAIL_NOT_FOUND: row(404, 'NOT_FOUND', 'There is no such message', 'See the list of messages; old ones are removed'),

  // images
  IMAGE_INVALID: row(400, 'INVALID_ARGUMENT', 'The image cannot be read', 'Send a JPEG, PNG, WebP, GIF, TIFF or AVIF image'),
  IMAGE_TOO_LARGE: row(413, 'INVALID_ARGUMENT', 'The image is too large', 'Send fewer bytes, pixels or frames; docs/limits.md names the limits'),
  IMAGE_TRANSFORM_INVALID: row(400, 'INVALID_ARGUMENT', 'The image transform is not valid', 'Correct what the details name'),
  IMAGE_WORKER_FAILED: row(500, 'INTERNAL', 'The image worker failed', 'Try again with a smaller image', true),

  // URL fetch
  FETCH_ADDRESS_REFUSED: row(403, 'PERMISSION_DENIED', 'The address may not be fetched', 'Apps reach public addresses only; the operator may allow a range with --fetch-allow'),
  FETCH_INVALID: row(400, 'INVALID_ARGUMENT', 'The request cannot be fetched', 'Correct what the details name'),
  FETCH_REQUEST_TOO_LARGE: row(413, 'INVALID_ARGUMENT', 'The request to fetch is too large', 'Send less; docs/limits.md names the limit'),
  FETCH_TOO_LARGE: row(502, 'RESOURCE_EXHAUSTED', 'The fetched answer is too large', 'Fetch less, or in parts with the Range header'),
  FETCH_TOO_MANY_REDIRECTS: row(502, 'FAILED_PRECONDITION', 'The fetch was redirected too often', 'Fetch the last address directly'),
  FETCH_LOOP: row(508, 'FAILED_PRECONDITION', 'The app fetches itself without end', 'Find the fetch that leads back to the app, and end it; the header CDN-Loop names every hop'),
  FETCH_FAILED: row(502, 'UNAVAILABLE', 'The address could not be fetched', 'Check that the address answers; then try again', true),
  FETCH_DEADLINE: row(504, 'DEADLINE_EXCEEDED', 'The fetched address did not answer in time', 'Try again, or give it a longer deadline', true),

  // Users
  LOGIN_REQUIRED: row(401, 'UNAUTHENTICATED', 'This page is for users who have signed in', 'Sign in, then load the page again'),
  ADMIN_REQUIRED: row(403, 'PERMISSION_DENIED', 'This page is for administrators of the app', 'Sign in as an administrator'),
  LOGIN_FAILED: row(401, 'UNAUTHENTICATED', 'The e-mail address or the password is wrong', 'Try again; the platform\'s owner can set a new password'),
  LOGIN_TOO_OFTEN: row(429, 'RESOURCE_EXHAUSTED', 'Too many attempts to sign in', 'Wait a minute, then try again', true),
  LOGIN_REDIRECT_REFUSED: row(400, 'INVALID_ARGUMENT', 'The address to go on to is not of this app', 'Give a path, or an address of the app itself'),
  ACCOUNT_INVALID: row(400, 'INVALID_ARGUMENT', 'The account is not valid', 'Correct what the details name'),
  ACCOUNT_NOT_FOUND: row(404, 'NOT_FOUND', 'There is no such account', 'See `appengine accounts list`'),
  ACCOUNT_EXISTS: row(409, 'ALREADY_EXISTS', 'There is an account with this e-mail address', 'Change that account instead'),

  // Task queues and cron
  QUEUE_NOT_FOUND: row(404, 'NOT_FOUND', 'There is no such queue', 'Name it in queue.yaml and deploy, or use the queue "default"'),
  QUEUE_FULL: row(503, 'RESOURCE_EXHAUSTED', 'The queue holds as many tasks as it may', 'Wait until tasks are done, or purge the queue', true),
  TASK_INVALID: row(400, 'INVALID_ARGUMENT', 'The task is not valid', 'Correct what the details name'),
  TASK_EXISTS: row(409, 'ALREADY_EXISTS', 'There is or was a task with this name', 'Use another name; names stay taken for some days'),
  TASK_NOT_FOUND: row(404, 'NOT_FOUND', 'There is no such task', 'It may be done already; see the queue\'s list'),
  TASK_TOO_LARGE: row(413, 'INVALID_ARGUMENT', 'The task is too large', 'Keep the data in the datastore and send its key'),
  CRON_JOB_NOT_FOUND: row(404, 'NOT_FOUND', 'There is no such cron job', 'See `appengine cron list`'),

  // Admin API and command line
  SIGN_IN_CODE_INVALID: row(401, 'UNAUTHENTICATED', 'The sign-in link was used or is too old', 'Make a new one: npx appengine console'),
  CSRF_REFUSED: row(403, 'PERMISSION_DENIED', 'The request does not come from the console\'s own page', 'Load the console again'),
  INSTANCE_NOT_FOUND: row(404, 'NOT_FOUND', 'There is no such instance', 'See `appengine instances list`'),
  UNAUTHENTICATED: row(401, 'UNAUTHENTICATED', 'The token is missing or wrong', 'Give the owner token with --token or APPENGINE_TOKEN; `serve` wrote it to credentials/owner-token in its data directory'),
  FORBIDDEN: row(403, 'PERMISSION_DENIED', 'Your role does not allow this', 'Ask an owner of the app'),
  HOST_REFUSED: row(421, 'INVALID_ARGUMENT', 'The console does not answer at this host name', 'Use localhost or 127.0.0.1, or allow the name with --console-host'),
  BODY_TOO_LARGE: row(413, 'INVALID_ARGUMENT', 'The request body is larger than the limit', 'Send less; docs/limits.md names the limit'),
  NOT_FOUND: row(404, 'NOT_FOUND', 'There is nothing at this address', 'Check the address'),
  SERVER_UNREACHABLE: row(503, 'UNAVAILABLE', 'No App Engine server answers there', 'Start one with `npm start`, or name another with --server', true),
  DIRECTORY_MISSING: row(400, 'INVALID_ARGUMENT', 'There is no such directory', 'Check the path'),
  USAGE: row(400, 'INVALID_ARGUMENT', 'The command cannot be understood', 'See `appengine --help`'),
  DATA_DIR_HELD: row(409, 'FAILED_PRECONDITION', 'Another App Engine serves this data directory', 'Stop it, or choose another directory with --data-dir'),
  STORE_HELD: row(409, 'FAILED_PRECONDITION', 'Another App Engine serves this database', 'Stop it, or name another database with --store'),
  STORE_UNREACHABLE: row(503, 'UNAVAILABLE', 'The database server cannot be reached', 'Start it, or correct the address in --store or APPENGINE_STORE', true),
  STORE_REFUSED: row(500, 'FAILED_PRECONDITION', 'The database server refuses access', 'Correct user, password, database or sslmode in --store or APPENGINE_STORE; the user must be able to create tables'),
  STORE_FORMAT: row(500, 'FAILED_PRECONDITION', 'The database was written by another release', 'Serve it with the release that wrote it, or name another database with --store'),
  TLS_CERTIFICATE_INVALID: row(400, 'FAILED_PRECONDITION', 'The certificate or its key cannot be used', 'Name a PEM certificate and the PEM key that belongs to it, both readable by this user'),
  COMMAND_NOT_STARTED: row(400, 'FAILED_PRECONDITION', 'The command could not be started', 'Check its name, that it is there, and that it may be run'),
  PORT_BUSY: row(409, 'FAILED_PRECONDITION', 'The port is in use', 'Stop what holds it, or choose another with the flag that the details name'),
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERRORS;

export type ErrorDetails = Readonly<Record<string, string | number | boolean | readonly string[]>>;

/** Every expected failure. `message` is for people: what, and the details that matter; `mend` says how to go on. */
export class PlatformError extends Error {
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  /** `reason` is appended to the row's message after a colon and says why, with values. */
  constructor(code: ErrorCode, reason?: string, options: { readonly details?: ErrorDetails; readonly cause?: unknown } = {}) {
    const { message } = ERRORS[code];
    super(reason === undefined ? message : `${message}: ${reason}`, { cause: options.cause });
    this.name = 'PlatformError';
    this.code = code;
    this.details = options.details ?? {};
  }

  get row(): ErrorRow {
    return ERRORS[this.code];
  }

  get mend(): string {
    return ERRORS[this.code].mend;
  }

  get retryable(): boolean {
    return ERRORS[this.code].retryable;
  }
}

/** What crosses a wire instead of a PlatformError. */
export interface ErrorBody {
  readonly code: ErrorCode;
  readonly message: string;
  readonly mend: string;
  readonly details: ErrorDetails;
}

export function isErrorCode(text: unknown): text is ErrorCode {
  return typeof text === 'string' && Object.hasOwn(ERRORS, text);
}

/** Any thrown value as a PlatformError; what is not one becomes INTERNAL with the original as its cause. */
export function toPlatformError(thrown: unknown): PlatformError {
  if (thrown instanceof PlatformError) return thrown;
  return new PlatformError('INTERNAL', undefined, { cause: thrown });
}

export function errorBody(error: PlatformError): ErrorBody {
  return { code: error.code, message: error.message, mend: error.mend, details: error.details };
}

/** Rebuilds an error that came over a wire; an unknown code becomes INTERNAL and keeps its text. */
export function errorFromBody(body: { readonly code?: unknown; readonly message?: unknown; readonly details?: unknown }): PlatformError {
  const code = isErrorCode(body.code) ? body.code : 'INTERNAL';
  const text = typeof body.message === 'string' ? body.message : '';
  const { message } = ERRORS[code];
  const details = typeof body.details === 'object' && body.details !== null ? (body.details as ErrorDetails) : {};
  const isWhole = text.startsWith(message);
  const error = new PlatformError(code, isWhole ? undefined : text || undefined, { details });
  if (isWhole) error.message = text;
  return error;
}
