import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parseAppManifest } from '../../../sdk/contract/app-manifest/app-yaml.ts';
import { javaLanguage } from './java.ts';
import { findJdks, type Jdk } from './jdks.ts';

const java17: Jdk = { runtime: 'java17', version: '17.0.15', home: '/usr/lib/jvm/java-17' };

function plan(paths: readonly string[], yaml = 'runtime: java17\n', found: readonly Jdk[] = [java17]) {
  const source = { paths: new Set(paths), readText: () => Promise.reject(new Error('nothing is read')) };
  return javaLanguage(() => found).plan(parseAppManifest(yaml, 'app.yaml'), source, { nowMs: 0 });
}

describe('how a Java app is started', () => {
  it('by its only jar, with a heap that fits the instance class, and a way out', async () => {
    const { command, environment, buildSteps } = await plan(['app.jar', 'static/a.css']);
    expect(command.slice(1)).toEqual([
      '/usr/lib/jvm/java-17/bin/java',
      '-XX:+UseSerialGC',
      '-XX:+ExitOnOutOfMemoryError',
      '-Xmx230m',
      '-Dhttp.proxyHost=127.0.0.1',
      '-Dhttp.proxyPort=61080',
      '-Dhttps.proxyHost=127.0.0.1',
      '-Dhttps.proxyPort=61080',
      '-jar',
      'app.jar',
    ]);
    expect(environment).toMatchObject({ JAVA_HOME: '/usr/lib/jvm/java-17', LANG: 'C.UTF-8' });
    expect(environment['JAVA_TOOL_OPTIONS']).toBeUndefined();
    expect(buildSteps).toEqual([]);
    expect((await plan(['app.jar'], 'runtime: java17\ninstance_class: F4\n')).command).toContain('-Xmx921m');
  });

  it.each([
    ['the jar at the top before those of a directory', ['app.jar', 'lib/a.jar', 'lib/b.jar'], 'app.jar'],
    ['the only one, wherever it is', ['target/app.jar'], 'target/app.jar'],
  ])('%s', async (_what, paths, jar) => {
    expect((await plan(paths)).command.at(-1)).toBe(jar);
  });

  it('by an entrypoint, whose options win over ours', async () => {
    const { command, environment } = await plan(['a.jar'], 'runtime: java17\nentrypoint: java -Xmx99m -jar a.jar $PORT\n');
    expect(command.slice(1, 3)).toEqual(['sh', '-c']);
    expect(command[3]).toMatch(/^exec '\/usr\/lib\/jvm\/java-17\/bin\/java' -XX:\+UseSerialGC .*-Xmx230m .* -Xmx99m -jar a\.jar \$PORT$/);
    expect(environment['JAVA_TOOL_OPTIONS']).toBeUndefined();
  });

  it('by a script, which finds the same Java and its options', async () => {
    const { command, environment } = await plan(['start.sh'], 'runtime: java17\nentrypoint: ./start.sh\n');
    expect(command.slice(1)).toEqual(['sh', '-c', 'export PATH="/usr/lib/jvm/java-17/bin:$PATH"; exec ./start.sh']);
    expect(environment['JAVA_TOOL_OPTIONS']).toContain('-Xmx230m');
  });

  it.each([
    [['a.jar', 'b.jar'], 'say which one runs: `entrypoint: java -jar a.jar`'],
    [['pom.xml', 'src/Main.java'], 'Java sources are not built here (pom.xml)'],
    [['index.html'], 'add a jar that `java -jar` can run'],
  ])('says what to do with %j', async (paths, message) => {
    await expect(plan(paths)).rejects.toMatchObject({ code: 'MANIFEST_INVALID', message: expect.stringContaining(message) });
  });

  it('says which Javas there are when it is not the one asked for', async () => {
    await expect(plan(['a.jar'], 'runtime: java21\n')).rejects.toMatchObject({
      code: 'RUNTIME_UNKNOWN',
      message: expect.stringContaining('there are java17 (17.0.15); install it with: apt-get install openjdk-21-jre-headless'),
    });
    await expect(plan(['a.jar'], undefined, [])).rejects.toMatchObject({ message: expect.stringContaining('has no Java below /usr') });
  });
});

describe('the Javas of a machine', () => {
  const directory = mkdtempSync(join(tmpdir(), 'jdks-'));
  afterAll(() => {
    rmSync(directory, { recursive: true });
  });
  const jdk = (name: string, version: string) => {
    const home = join(directory, name);
    mkdirSync(join(home, 'bin'), { recursive: true });
    writeFileSync(join(home, 'bin', 'java'), '');
    writeFileSync(join(home, 'release'), `IMPLEMENTOR="x"\nJAVA_VERSION="${version}"\n`);
    return home;
  };

  it('are one for each version, that of JAVA_HOME first', () => {
    const packaged = jdk('jvm/a-17', '17.0.1');
    jdk('jvm/b-17', '17.0.2');
    const newer = jdk('jvm/c-21', '21');
    const own = jdk('own', '17.0.15');
    mkdirSync(join(directory, 'jvm', 'not-one'));
    symlinkSync(join(newer, 'bin', 'java'), join(directory, 'java'));
    const places = { program: join(directory, 'java'), directory: join(directory, 'jvm') };
    const homes = (home: string | undefined) => findJdks({ ...places, home }).map((each) => `${each.runtime} ${each.home}`);
    expect(homes(undefined)).toEqual([`java21 ${newer}`, `java17 ${packaged}`]);
    expect(homes(own)).toEqual([`java17 ${own}`, `java21 ${newer}`]);
    expect(findJdks({ home: undefined, program: join(directory, 'none'), directory: join(directory, 'none') })).toEqual([]);
  });
});
