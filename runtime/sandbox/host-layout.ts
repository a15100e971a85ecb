// Reads what bubblewrap-arguments.ts needs to know of this machine, and writes the files made for the sandbox.
import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type HostLayout, SANDBOX_USER_ID } from './bubblewrap-arguments.ts';

const TOP_DIRECTORIES = ['/usr', '/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32'];
/** Certificates without the private keys beside them, the dynamic linker's files, the links behind /usr/bin, the time zone. */
const ETC_FILES = [
  '/etc/ssl/certs',
  '/etc/ssl/openssl.cnf',
  '/etc/pki/tls/certs',
  '/etc/pki/ca-trust/extracted',
  '/etc/ca-certificates',
  '/etc/ld.so.cache',
  '/etc/ld.so.conf',
  '/etc/ld.so.conf.d',
  '/etc/alternatives',
  '/etc/localtime',
  '/etc/mime.types',
];
/** Debian's Java keeps its settings here, and does not start without them. */
const JAVA_SETTINGS = /^java-\d+-openjdk$/;
const NETWORK_FILES = ['/etc/resolv.conf', '/etc/hosts'];

const id = String(SANDBOX_USER_ID);
const GENERATED = {
  passwd: `app:x:${id}:${id}:app:/tmp:/bin/sh\nnobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n`,
  group: `app:x:${id}:\nnogroup:x:65534:\n`,
  hosts: '127.0.0.1 localhost\n::1 localhost\n',
  'nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files dns\n',
};

/** `scratchDirectory` is made when it is missing and must outlive every sandbox. `javaHome` is JAVA_HOME of this process. */
export function readHostLayout(scratchDirectory: string, nodePath: string, javaHome?: string): HostLayout {
  const generatedEtc = join(scratchDirectory, 'etc');
  mkdirSync(generatedEtc, { recursive: true });
  chmodSync(generatedEtc, 0o755);
  for (const [name, text] of Object.entries(GENERATED)) {
    writeFileSync(join(generatedEtc, name), text);
    // For users other than ours to read, whatever the operator's umask.
    chmodSync(join(generatedEtc, name), 0o644);
  }
  const nodePrefix = prefixOf(nodePath);
  return {
    topDirectories: TOP_DIRECTORIES.filter((path) => existsSync(path)).map((path) =>
      lstatSync(path).isSymbolicLink() ? { path, linkTo: readlinkSync(path) } : { path },
    ),
    etcFiles: [...ETC_FILES.filter((path) => existsSync(path)), ...javaSettings()],
    networkFiles: NETWORK_FILES.filter((path) => existsSync(path)),
    generatedEtc,
    ...(nodePrefix === undefined ? {} : { nodePrefix }),
    ...(javaHome === undefined || javaHome.startsWith('/usr/') || !existsSync(`${javaHome}/bin/java`) ? {} : { javaHome }),
  };
}

function javaSettings(): readonly string[] {
  return readdirSync('/etc').flatMap((name) => (JAVA_SETTINGS.test(name) ? [`/etc/${name}`] : []));
}

/** The directory that holds `bin/node` (and npm's `lib` beside it), unless /usr covers it. */
function prefixOf(nodePath: string): string | undefined {
  if (nodePath.startsWith('/usr/')) return undefined;
  const directory = dirname(nodePath);
  return basename(directory) === 'bin' ? dirname(directory) : undefined;
}
