// Java apps: a jar that runs by itself, on a Java runtime of this machine. Nothing is built.
// Read next: jdks.ts, ../forwarder/forwarded.ts.
import { type AppManifest } from '../../../sdk/contract/app-manifest/manifest.ts';
import { INSTANCE_CLASSES } from '../../../sdk/contract/app-manifest/instance-class.ts';
import { PlatformError } from '../../../sdk/contract/errors.ts';
import { LIMITS } from '../../../sdk/contract/limits.ts';
import { EGRESS_PORT, forwarded } from '../forwarder/forwarded.ts';
import { type Language, type LanguagePlan, type SourceTree } from '../port.ts';
import { shellCommand } from '../shell-command.ts';
import { findJdks, type Jdk, jdkPlaces } from './jdks.ts';

/** App Engine's, and what comes after. */
const MAJORS = [17, 21, 25];
const BUILD_FILES = ['pom.xml', 'build.gradle', 'build.gradle.kts'];
/** Share of the memory for objects. The rest of a small instance is the Java runtime's own: 40 MB before the first class of an app. */
const HEAP_SHARE = 0.6;
/** Its collector, on one thread, starts 100 ms sooner than the usual one, which is made for larger heaps and more processors. */
const MACHINE_OPTIONS = ['-XX:+UseSerialGC', '-XX:+ExitOnOutOfMemoryError'];
/** The loopback is left out of it by Java itself. */
const PROXY_OPTIONS = ['http', 'https'].flatMap((scheme) => [`-D${scheme}.proxyHost=127.0.0.1`, `-D${scheme}.proxyPort=${EGRESS_PORT}`]);

export function javaLanguage(find: () => readonly Jdk[]): Language {
  return {
    name: 'java',
    runtimes: MAJORS.map((major) => `java${major}`),

    // eslint-disable-next-line @typescript-eslint/require-await -- what it throws must reject
    async plan(manifest: AppManifest, source: SourceTree): Promise<LanguagePlan> {
      const { home } = chosen(manifest.runtime, find());
      const options = [...MACHINE_OPTIONS, `-Xmx${heapMegabytes(manifest)}m`, ...PROXY_OPTIONS];
      const { command, environment, showsOptions } = startCommand(manifest, source, home, options);
      return {
        buildSteps: [],
        buildOutputs: [],
        command,
        environment: {
          ...environment,
          JAVA_HOME: home,
          // Without a locale, Java 17 takes files and output for ASCII.
          LANG: 'C.UTF-8',
          // Read by every Java process, which says so on stderr: only where the command does not show where to put them.
          ...(showsOptions ? {} : { JAVA_TOOL_OPTIONS: options.join(' ') }),
        },
      };
    },
  };
}

export const java = javaLanguage(() => findJdks(jdkPlaces(process.env['JAVA_HOME'])));

/** Throws RUNTIME_UNKNOWN listing what this machine has. */
function chosen(runtime: string, jdks: readonly Jdk[]): Jdk {
  const found = jdks.find((jdk) => jdk.runtime === runtime);
  if (found) return found;
  const there = jdks.map((jdk) => `${jdk.runtime} (${jdk.version})`);
  const install = `install it with: apt-get install openjdk-${runtime.slice('java'.length)}-jre-headless`;
  const reason =
    there.length === 0
      ? `"${runtime}": this machine has no Java below /usr, nor does JAVA_HOME name one; ${install}`
      : `"${runtime}" is not on this machine; there are ${there.join(', ')}; ${install}`;
  throw new PlatformError('RUNTIME_UNKNOWN', reason, { details: { runtime, known: jdks.map((jdk) => jdk.runtime) } });
}

/** Options of the app's own come after ours, and win. */
function startCommand({ entrypoint }: AppManifest, source: SourceTree, home: string, options: readonly string[]) {
  const program = `${home}/bin/java`;
  if (entrypoint === undefined) return { ...forwarded([program, ...options, '-jar', onlyJar(source)]), showsOptions: true };
  const words = /^\s*java(\s[^]*)$/.exec(entrypoint)?.[1];
  if (words === undefined) return { ...forwarded(shellCommand(entrypoint, [`${home}/bin`])), showsOptions: false };
  return { ...forwarded(shellCommand(`'${program}' ${options.join(' ')}${words}`)), showsOptions: true };
}

/** Throws MANIFEST_INVALID when it is not clear what to run. */
function onlyJar({ paths }: SourceTree): string {
  const jars = [...paths].filter((path) => path.endsWith('.jar'));
  const atTop = jars.filter((path) => !path.includes('/'));
  const candidates = atTop.length === 1 ? atTop : jars;
  const [jar] = candidates;
  if (jar !== undefined && candidates.length === 1) return jar;
  const project = BUILD_FILES.find((path) => paths.has(path));
  const reason =
    jars.length > 1
      ? `the app has ${jars.length} jars; say which one runs: \`entrypoint: java -jar ${jars.sort()[0] ?? ''}\``
      : project === undefined
        ? 'the app has nothing to start; add a jar that `java -jar` can run, or an `entrypoint:` to app.yaml'
        : `Java sources are not built here (${project}): build a jar that \`java -jar\` can run, and deploy the directory that holds it beside app.yaml`;
  throw new PlatformError('MANIFEST_INVALID', reason, { details: { file: 'app.yaml' } });
}

function heapMegabytes({ instanceClass }: AppManifest): number {
  const memoryBytes = INSTANCE_CLASSES.get(instanceClass)?.memoryBytesMax ?? LIMITS.instanceMemoryBytesMax;
  return Math.floor((memoryBytes * HEAP_SHARE) / 2 ** 20);
}
