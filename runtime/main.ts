// `appengine serve`: the host process and its roles, from flags to the ready line, and their orderly end.
// It builds nothing: platform/ does, and a role loads only what it needs, so that it is back soon after it died.
import { readFileSync, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, CommanderError } from 'commander';
import { type ErrorCode, PlatformError, toPlatformError } from '../sdk/contract/errors.ts';
import { systemClock, systemRandom, systemTimers } from '../sdk/support/clock.ts';
import { CloseStack } from '../sdk/support/close-stack.ts';
import {
  isLoopback,
  LOG_LEVELS,
  type LogLevelChoice,
  readServeConfig,
  SANDBOX_CHOICES,
  type ServeConfig,
  type ServeFlags,
  SMTP_VARIABLE,
  STORE_VARIABLE,
} from './config.ts';
import { machineMemoryBytes } from './host/machine-memory.ts';
import { defaultMemoryBudget } from './host/memory-budget.ts';
import { startRoleProcess } from './host/role-process.ts';
import { type Supervisor } from './host/supervisor.ts';
import { createProcessLog } from './observability/process-log.ts';
import { packageRoot, type PlatformSettings, type PlatformWorld, type RunningRole } from './platform/settings.ts';
import { holdOpen } from './sandbox/hold-open.ts';
import { LocalRoleLinks, type RoleLinks, SocketRoleLinks } from './role-links.ts';

/** Settings of a role process, in its environment: argument vectors are readable by every user of the machine. */
const SETTINGS_VARIABLE = 'APPENGINE_ROLE_SETTINGS';
/** In the order of their start. */
const CHILD_ROLES = ['datastore', 'control', 'router'] as const;
const DEV_LOGIN_WARNING =
  'Anybody who reaches this server signs in to its apps as anybody, without a password (--dev-login). For development alone.';
const CLEAR_TOKENS_WARNING =
  "Clients of the datastore's port send their tokens over the network in clear text. Give --tls-cert and --tls-key, or bind to a loopback address.";
/** Failures that somebody has to mend: told at the first start, which they end. Later ones are tried again in any case. */
const NO_USE_IN_TRYING: readonly ErrorCode[] = [
  'PORT_BUSY',
  'TLS_CERTIFICATE_INVALID',
  'STORE_HELD',
  'STORE_UNREACHABLE',
  'STORE_REFUSED',
  'STORE_FORMAT',
];
type ChildRole = (typeof CHILD_ROLES)[number];

interface RoleSettings extends PlatformSettings {
  readonly logLevel: LogLevelChoice;
}

/** Where a running platform answers. */
export interface ServeAddresses {
  readonly routerUrl: string;
  readonly consoleUrl: string;
  readonly datastoreAddress: string;
  readonly dataDirectory: string;
  /** Signs one browser in to the console, once. */
  readonly signInUrl: string;
}

/** Runs `serve …`, or `role NAME` inside a role process; resolves with the exit code when everything has ended. */
export async function runServer(words: readonly string[]): Promise<number> {
  // Apps are other users than this one, and read their code and the platform's files; what is private lies below modes of 0700.
  process.umask(0o022);
  if (words[0] === 'role') return runRole(words[1]);
  if (words[0] === 'doctor') return examineMachine(words.slice(1));
  try {
    await runPlatform(words.slice(1), announce);
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode;
    printError(toPlatformError(error));
    return 1;
  }
}

async function examineMachine(words: readonly string[]): Promise<number> {
  const { runDoctor } = await import('./doctor/doctor-command.ts');
  const builtAtMs = statSync(join(packageRoot(), 'package.json')).mtimeMs;
  const letGo = holdOpen();
  const { stdout, stderr, env: variables } = process;
  return runDoctor(words, { clock: systemClock, timers: systemTimers, variables, builtAtMs, stdout, stderr }).finally(letGo);
}

/** Serves in this process as the flags of `serve` say, until a signal. Throws what keeps it from starting. */
export async function runPlatform(
  flagWords: readonly string[],
  onReady: (addresses: ServeAddresses, config: ServeConfig) => void,
): Promise<void> {
  const flags = parseFlags(flagWords);
  if (!flags) return;
  // Whoever lists processes should not read the passwords in what this one was started with.
  if (flags.store !== undefined || flags.smtp !== undefined) process.title = 'appengine serve';
  const config = readServeConfig(flags, process.env);
  await serve(config, (addresses) => {
    onReady(addresses, config);
  });
}

/** The line that others wait for. */
function announce({ routerUrl, consoleUrl, datastoreAddress, dataDirectory, signInUrl }: ServeAddresses, config: ServeConfig): void {
  process.stdout.write(`App Engine ${readRelease()}, data in ${dataDirectory}${config.ephemeral ? ', which goes when this ends' : ''}\n`);
  if (config.storeUrl !== undefined) {
    const { host, pathname } = new URL(config.storeUrl);
    process.stdout.write(`Datastore   in the database ${host}${pathname}\n`);
  }
  if (config.datastoreAuth) {
    process.stdout.write(`Datastore   clients of ${datastoreAddress} need a token: appengine datastore tokens create --app ID\n`);
  }
  process.stdout.write(`Console     ${signInUrl}\n`);
  process.stdout.write(`ready router=${routerUrl} console=${consoleUrl} datastore=${datastoreAddress}\n`);
}

/** Undefined when only help was asked for. */
function parseFlags(words: readonly string[]): ServeFlags | undefined {
  const command = new Command('appengine serve')
    .description('Run the platform: router, control, datastore, and every app that is deployed to it.')
    .option('--data-dir <dir>', 'everything durable lies here (or APPENGINE_DATA_DIR; default .appengine)')
    .option('--port <port>', 'apps answer here (or APPENGINE_PORT; default 8080; 0 picks a free one)')
    .option('--console-port <port>', 'the admin API and the console (or APPENGINE_CONSOLE_PORT; default 8000)')
    .option('--datastore-port <port>', 'the public datastore API (or APPENGINE_DATASTORE_PORT; default 8081)')
    .option('--bind <address>', 'address of this machine to listen on (default 127.0.0.1)')
    .option(
      '--datastore-auth',
      'clients of --datastore-port need a token (or APPENGINE_DATASTORE_AUTH=1; always, unless --bind is loopback)',
    )
    .option('--domain <name>', 'apps are at http://ID.NAME:PORT/ (default localhost)')
    .option('--tls-cert <file>', 'serve apps by HTTPS and HTTP/2 at --port: PEM certificate with its chain (or APPENGINE_TLS_CERT)')
    .option('--tls-key <file>', 'its PEM key; both files are read again when they change (or APPENGINE_TLS_KEY)')
    .option('--http-port <port>', 'HTTP beside HTTPS, for `secure:` of app.yaml to redirect from (or APPENGINE_HTTP_PORT; default none)')
    .option('--trusted-proxy <address...>', 'believe the X-Forwarded-For and -Proto of proxies at these addresses')
    .option('--console-host <name...>', 'browsers may reach the console at these host names too (behind a proxy that ends TLS)')
    .option('--role <which>', '"all" runs every role in one process, for tests')
    .option(
      '--store <url>',
      'keep the datastore in postgres://USER:PASSWORD@HOST:PORT/DATABASE (better APPENGINE_STORE: others can read a command line)',
    )
    .option('--ephemeral', 'keep nothing: a temporary data directory, the datastore in memory')
    .option(
      '--allow-reset',
      "for development: POST /reset at the datastore port deletes all apps' data, /shutdown ends it all (--ephemeral too)",
    )
    .option('--sandbox <kind>', `one of ${SANDBOX_CHOICES.join(', ')}; process isolates nothing`)
    .option('--fetch-allow <range...>', 'apps may reach these addresses too, such as 10.0.0.0/8 (default: public ones only)')
    .option('--smtp <url>', 'deliver mail by smtp[s]://USER:PASSWORD@HOST:PORT (better APPENGINE_SMTP: others can read a command line)')
    .option('--mail-domain <name>', 'apps send mail as anything@ID.NAME (default: the domain)')
    .option('--mail-sender <address...>', 'apps may send mail as these addresses too')
    .option('--dev-login', 'for development: any e-mail address signs in to apps, without a password')
    .option(
      '--dev-indexes <app=file>',
      'for development: queries of the app get the indexes that they need, which are added to this index.yaml',
    )
    .option('--quotas <file>', 'YAML file of quotas (default: those of App Engine; see docs/billing.md)')
    .option('--prices <file>', 'YAML file of prices, if not in the file of quotas')
    .option('--metrics-open', 'programs of this machine read /metrics of the console port without a token')
    .option('--log-retention <time>', "keep apps' logs this long (default 30d)")
    .option('--log-size <size>', 'and at most this much of each app (default 256m)')
    .option('--memory-budget <size>', "memory for all apps' instances together, such as 8G (default: the machine's, less the platform's)")
    .option('--log-level <level>', `the platform's own log on stderr: ${LOG_LEVELS.join(', ')} (default warn)`)
    .allowExcessArguments(false)
    .exitOverride()
    .showHelpAfterError('(see appengine serve --help)')
    .addHelpText(
      'after',
      '\nExamples:\n  $ appengine serve\n  $ appengine serve --data-dir /srv/appengine --port 80 --domain example.com --bind 0.0.0.0\n  $ appengine serve --port 443 --http-port 80 --domain example.com --bind 0.0.0.0 --tls-cert fullchain.pem --tls-key privkey.pem\n  $ appengine serve --ephemeral --port 0 --console-port 0 --datastore-port 0\n  $ APPENGINE_STORE=postgres://appengine:PASSWORD@db.example.com/appengine appengine serve',
    );
  try {
    return command.parse([...words], { from: 'user' }).opts<ServeFlags>();
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return undefined;
    throw error;
  }
}

function printError(error: PlatformError): void {
  const { flag } = error.details;
  const mend = typeof flag === 'string' ? `${error.mend}: ${flag}` : error.code === 'DATA_DIR_HELD' ? `${error.mend} DIR` : error.mend;
  process.stderr.write(`Error: ${error.message} (${error.code})\n  To mend it: ${mend}.\n`);
  if (error.code === 'INTERNAL' && error.cause instanceof Error) process.stderr.write(`${error.cause.stack ?? error.cause.message}\n`);
}

/** Serves until a signal, then ends everything in order. */
async function serve(config: ServeConfig, onReady: (addresses: ServeAddresses) => void): Promise<void> {
  const closing = new CloseStack();
  const stop = new AbortController();
  // The last steps of closing may wait for nothing but timers, which keep no process alive.
  const letGo = holdOpen();
  const onSignal = (): void => {
    stop.abort();
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal);
  // Started by `npm start`, which holds this channel: when that is killed, what it started ends.
  if (process.send) process.on('disconnect', onSignal);
  try {
    onReady(await start(config, closing, onSignal));
    if (!stop.signal.aborted) await new Promise((resolve) => stop.signal.addEventListener('abort', resolve, { once: true }));
  } finally {
    await closing.close().finally(letGo);
    if (process.connected) process.disconnect();
  }
}

async function start(config: ServeConfig, closing: CloseStack, shutDown: () => void): Promise<ServeAddresses> {
  const log = createProcessLog(config.logLevel, { process: 'host' });
  const world: PlatformWorld = { clock: systemClock, timers: systemTimers, random: systemRandom, log };
  const dataDirectory = config.ephemeral ? await mkdtemp(join(tmpdir(), 'appengine-')) : config.dataDirectory;
  if (config.ephemeral) closing.defer(() => rm(dataDirectory, { recursive: true, force: true }));
  const quotas = await readPolicy(config);
  // Asked before any role starts, so that a certificate that cannot be used is one clear message.
  if (config.tls) {
    const { readPair } = await import('../router/certificate-files.ts');
    await readPair(config.tls);
  }
  const { DataDirectory } = await import('./host/data-directory.ts');
  const data = DataDirectory.open(dataDirectory, systemClock, systemRandom);
  closing.defer(() => {
    data.close();
  });
  data.ownerToken();
  data.sessionKey();
  const { storeUrl } = config;
  const ports = {
    router: await freePort(config.bind, config.port, '--port'),
    ...(config.httpPort === undefined ? {} : { http: await freePort(config.bind, config.httpPort, '--http-port') }),
    console: await freePort(config.bind, config.consolePort, '--console-port'),
    datastore: await freePort(config.bind, config.datastorePort, '--datastore-port'),
  };
  const { paths, runDirectory } = data;
  const links: RoleLinks = config.singleProcess
    ? new LocalRoleLinks(systemClock, systemTimers)
    : new SocketRoleLinks(runDirectory, systemClock, systemTimers, log);
  closing.defer(() => {
    links.close();
  });
  const { startHost } = await import('./platform/host-role.ts');
  let supervisor: Supervisor | undefined = undefined as Supervisor | undefined;
  const hostSettings = {
    ...{ paths, runDirectory, sandbox: config.sandbox, logLimits: config.logLimits, release: readRelease(), variables: process.env },
    memoryBudgetBytes: config.memoryBudgetBytes ?? defaultMemoryBudget(machineMemoryBytes()),
    supervised: () => supervisor?.status() ?? [],
    ...(config.allowsReset ? { shutDown } : {}),
  };
  const host = await startHost(hostSettings, links, world);
  closing.defer(() => host.close());
  const sendsClearTokens = !isLoopback(config.bind) && !config.tls;
  const warnings = [...host.warnings, ...(config.devLogin ? [DEV_LOGIN_WARNING] : []), ...(sendsClearTokens ? [CLEAR_TOKENS_WARNING] : [])];
  for (const warning of warnings) process.stderr.write(`\n  *** ${warning}\n`);
  const settings: RoleSettings = {
    ...{
      paths,
      runDirectory,
      ports,
      bind: config.bind,
      datastoreAuth: config.datastoreAuth,
      domain: config.domain,
      ephemeral: config.ephemeral,
      allowsReset: config.allowsReset,
      logLevel: config.logLevel,
      fetchAllow: config.fetchAllow,
      consoleHosts: config.consoleHosts,
      trustedProxies: config.trustedProxies,
      mail: config.mail,
      logLimits: config.logLimits,
      metricsOpen: config.metricsOpen,
    },
    ...{ release: readRelease(), sandbox: host.sandbox, warnings, devLogin: config.devLogin },
    ...(config.tls ? { tls: config.tls } : {}),
    ...(config.devIndexes ? { devIndexes: config.devIndexes } : {}),
    ...(quotas ? { quotas } : {}),
    ...(storeUrl === undefined ? {} : { store: { url: storeUrl, holder: data.storeHolder() } }),
  };
  if (config.singleProcess) {
    for (const role of CHILD_ROLES) {
      const running = await startRole(role, settings, links, world, () => process.exit(1));
      closing.defer(() => running.close());
    }
  } else {
    await superviseRoles(settings, world, closing, (started) => {
      supervisor = started;
    });
  }
  data.announce(ports);
  const { makeSignInLink } = await import('./control/sign-in-links.ts');
  return {
    routerUrl: `${config.tls ? 'https' : 'http'}://${config.bind}:${ports.router}`,
    consoleUrl: `http://${config.bind}:${ports.console}`,
    datastoreAddress: `${config.bind}:${ports.datastore}`,
    dataDirectory: paths.root,
    signInUrl: await makeSignInLink(links.connect('control'), config.bind, ports.console),
  };
}

async function superviseRoles(
  settings: RoleSettings,
  world: PlatformWorld,
  closing: CloseStack,
  onStarted: (supervisor: Supervisor) => void,
): Promise<void> {
  const [{ NodeRoleSpawner }, { Supervisor }] = await Promise.all([import('./host/role-spawner.ts'), import('./host/supervisor.ts')]);
  const supervisor = new Supervisor(new NodeRoleSpawner(), world.clock, world.timers, world.log);
  closing.defer(() => supervisor.close());
  onStarted(supervisor);
  const command = join(packageRoot(), 'sdk', 'cli', 'bin', 'appengine.mjs');
  // At the same time: each waits for the others' services by itself.
  await Promise.all(
    CHILD_ROLES.map((name) =>
      supervisor.start({
        ...{ name, argv: [process.execPath, ...process.execArgv, command, 'role', name] },
        environment: roleEnvironment(name, settings),
      }),
    ),
  );
}

/** The SMTP server's password goes to the one role that sends mail, the database server's to the datastore. */
function roleEnvironment(role: ChildRole, settings: RoleSettings): Record<string, string> {
  const { store, mail, ...common } = settings;
  const { domain, senders } = mail;
  const own: RoleSettings = {
    ...common,
    mail: role === 'control' ? mail : { domain, senders },
    ...(role === 'datastore' && store !== undefined ? { store } : {}),
  };
  const variables = definedVariables({ ...process.env, [SMTP_VARIABLE]: undefined, [STORE_VARIABLE]: undefined });
  return { ...variables, [SETTINGS_VARIABLE]: JSON.stringify(own) };
}

/** The whole life of a role process. */
async function runRole(name: string | undefined): Promise<number> {
  const role = CHILD_ROLES.find((each) => each === name);
  const text = process.env[SETTINGS_VARIABLE];
  if (!role || text === undefined) {
    process.stderr.write('Error: roles are started by `appengine serve`.\n');
    return 1;
  }
  const settings = JSON.parse(text) as RoleSettings;
  const log = createProcessLog(settings.logLevel, { process: role });
  const world: PlatformWorld = { clock: systemClock, timers: systemTimers, random: systemRandom, log };
  const links = new SocketRoleLinks(settings.runDirectory, systemClock, systemTimers, log);
  let running: RunningRole | undefined;
  const roleProcess = startRoleProcess({
    onStop: async () => {
      await running?.close();
      links.close();
    },
  });
  try {
    running = await startRole(role, settings, links, world, () => process.exit(1));
    roleProcess.ready({});
  } catch (error) {
    log.error('The role cannot start', { error });
    if (NO_USE_IN_TRYING.includes(toPlatformError(error).code)) roleProcess.fail(error);
    else process.exit(1);
  }
  return 0;
}

async function startRole(
  role: ChildRole,
  settings: PlatformSettings,
  links: RoleLinks,
  world: PlatformWorld,
  onFailed: () => void,
): Promise<RunningRole> {
  switch (role) {
    case 'datastore':
      return (await import('./platform/datastore-role.ts')).startDatastore(settings, links, world, onFailed);
    case 'control':
      return (await import('./platform/control-role.ts')).startControl(settings, links, world);
    case 'router':
      return (await import('./platform/router-role.ts')).startRouter(settings, links, world);
  }
}

/** Asked before any role starts, so that a busy port is one clear message. Port 0 becomes a free one. Throws PORT_BUSY. */
function freePort(host: string, port: number, flag: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', (cause: NodeJS.ErrnoException) => {
      const code = cause.code === 'EADDRINUSE' || cause.code === 'EACCES' ? 'PORT_BUSY' : 'INTERNAL';
      reject(new PlatformError(code, `${host}:${port} (${cause.code ?? cause.message})`, { details: { port, flag }, cause }));
    });
    probe.listen({ host, port }, () => {
      const address = probe.address();
      const found = typeof address === 'object' && address ? address.port : port;
      probe.close(() => {
        resolve(found);
      });
    });
  });
}

/** Undefined without files. Throws QUOTA_FILE_INVALID. */
async function readPolicy({ quotasFile, pricesFile }: ServeConfig): Promise<PlatformSettings['quotas']> {
  if (quotasFile === undefined && pricesFile === undefined) return undefined;
  const { readQuotaPolicy } = await import('./billing/quota-file.ts');
  const fileOf = (path: string): { readonly text: string; readonly name: string } => {
    try {
      return { text: readFileSync(path, 'utf8'), name: path };
    } catch (cause) {
      throw new PlatformError('QUOTA_FILE_INVALID', `${path} cannot be read (${cause instanceof Error ? cause.message : String(cause)})`, {
        cause,
      });
    }
  };
  return readQuotaPolicy({
    ...(quotasFile === undefined ? {} : { quotas: fileOf(quotasFile) }),
    ...(pricesFile === undefined ? {} : { prices: fileOf(pricesFile) }),
  });
}

function readRelease(): string {
  const { version } = JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')) as { version: string };
  return version;
}

function definedVariables(variables: NodeJS.ProcessEnv): Record<string, string> {
  return Object.fromEntries(Object.entries(variables).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
}
