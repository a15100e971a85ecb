import { describe, expect, it } from 'vitest';
import { isFit, missing, ok, renderFindings, warning } from './finding.ts';
import {
  judgeBubblewrap,
  judgeClock,
  judgeControlGroups,
  judgeDescriptors,
  judgeDisk,
  judgeMemory,
  judgeNode,
  judgePort,
  judgeProgram,
  judgeSpace,
  judgeUsers,
} from './judgements.ts';

const root = { sudo: '' };
const person = { sudo: 'sudo ' };
const GiB = 2 ** 30;
const disk = { directory: '/srv', failure: undefined, freeBytes: 9 * GiB, fsyncMs: 1, inMemory: false };
const port = { flag: '--port', port: 8080, error: undefined, ours: false };

describe('what is good enough', () => {
  it.each([
    ['this Node', judgeNode('20.20.0'), 'ok'],
    ['a newer Node', judgeNode('24.1.0'), 'ok'],
    ['an older Node', judgeNode('20.19.9'), 'missing'],
    ['a much older Node', judgeNode('18.30.0'), 'missing'],
    ['bubblewrap', judgeBubblewrap({ version: '0.8.0', failure: undefined, unwanted: false }, root), 'ok'],
    ['bubblewrap of 1.0', judgeBubblewrap({ version: '1.0', failure: undefined, unwanted: false }, root), 'ok'],
    ['bubblewrap that is too old', judgeBubblewrap({ version: '0.7.9', failure: undefined, unwanted: false }, root), 'missing'],
    ['no bubblewrap', judgeBubblewrap({ version: undefined, failure: undefined, unwanted: false }, root), 'missing'],
    ['bubblewrap that fails', judgeBubblewrap({ version: '0.8.0', failure: 'no namespaces', unwanted: false }, root), 'missing'],
    ['no sandbox, as asked for', judgeBubblewrap({ version: undefined, failure: undefined, unwanted: true }, root), 'warning'],
    ['users of their own', judgeUsers({ first: 1_000, count: 10 }), 'ok'],
    ['one user', judgeUsers({ missing: 'not root', mend: 'run as root' }), 'warning'],
    ['a cap on files', judgeSpace(undefined, true), 'ok'],
    ['no cap on files, as root', judgeSpace('unshare failed', true), 'warning'],
    ['no cap on files', judgeSpace('unshare failed', false), 'warning'],
    ['all control groups', judgeControlGroups('cgroup-v1', [], root), 'ok'],
    ['some control groups', judgeControlGroups('cgroup-v2', ['memory limit'], root), 'warning'],
    ['memory', judgeMemory(2 * GiB, 4 * GiB), 'ok'],
    ['little memory', judgeMemory(0.5 * GiB, 4 * GiB), 'warning'],
    ['a port', judgePort(port), 'ok'],
    ['any port', judgePort({ ...port, port: 0 }), 'ok'],
    ['a port in use', judgePort({ ...port, error: 'EADDRINUSE' }), 'missing'],
    ['a port of this platform', judgePort({ ...port, error: 'EADDRINUSE', ours: true }), 'ok'],
    ['many files', judgeDescriptors(20_000, 20_000), 'ok'],
    ['few files', judgeDescriptors(1_024, 4_096), 'warning'],
    ['a clock', judgeClock(2_000, 1_000, 'tsc'), 'ok'],
    ['a clock without a name', judgeClock(2_000, 1_000, undefined), 'ok'],
    ['a slow clock', judgeClock(2_000, 1_000, 'acpi_pm'), 'warning'],
    ['a clock of long ago', judgeClock(500, 1_000, 'tsc'), 'missing'],
    ['a program', judgeProgram({ name: 'java', packages: 'jre', path: '/usr/bin/java', use: '' }, root), 'ok'],
    ['no program', judgeProgram({ name: 'java', packages: 'jre', path: undefined, use: '' }, root), 'warning'],
  ] as const)('%s', (_what, finding, state) => {
    expect(finding.state).toBe(state);
    expect(finding.mend !== undefined).toBe(state !== 'ok');
  });

  it('of a disk', () => {
    const states = (change: Partial<typeof disk> | { failure: string }) => judgeDisk({ ...disk, ...change }).map(({ state }) => state);
    expect(states({})).toEqual(['ok', 'ok']);
    expect(states({ freeBytes: GiB })).toEqual(['warning', 'ok']);
    expect(states({ freeBytes: 1_000_000 })).toEqual(['missing', 'ok']);
    expect(states({ fsyncMs: 30 })).toEqual(['ok', 'warning']);
    expect(states({ inMemory: true })).toEqual(['ok', 'warning']);
    expect(states({ failure: 'EACCES' })).toEqual(['missing']);
  });

  it('names the command, for root and for others', () => {
    const facts = { name: 'java', packages: 'openjdk-17-jre-headless', path: undefined, use: 'apps in Java cannot run' };
    expect(judgeProgram(facts, person).mend).toBe('sudo apt-get install -y --no-install-recommends openjdk-17-jre-headless');
    expect(judgeProgram(facts, root).mend).toMatch(/^apt-get /);
    expect(judgeDescriptors(1_024, 65_536).mend).toBe('ulimit -n 65536');
  });
});

describe('the report', () => {
  const findings = [ok('Node', 'Node 20'), warning('memory', '1 MiB', 'buy more'), missing('sandbox', 'none', 'install it')];

  it('is a line for each thing, and below it how to mend it', () => {
    expect(renderFindings(findings, { colour: false })).toBe(
      [
        'ok       Node     Node 20',
        'warning  memory   1 MiB',
        '                  to mend it: buy more',
        'missing  sandbox  none',
        '                  to mend it: install it',
        '',
        '1 missing: mend that first, or apps cannot be served as they should be.',
        '',
      ].join('\n'),
    );
    expect(renderFindings(findings.slice(0, 2), { colour: false })).toContain('\nFit to serve, with 1 warning.\n');
    expect(renderFindings(findings.slice(0, 1), { colour: false })).toContain('\nFit to serve.\n');
  });

  it('has colours where it is told to', () => {
    expect(renderFindings(findings, { colour: true })).toContain('\u001b[31mmissing');
    expect(renderFindings(findings, { colour: false })).not.toContain('\u001b');
  });

  it('says that a machine is fit unless something is missing', () => {
    expect([isFit(findings), isFit(findings.slice(0, 2))]).toEqual([false, true]);
  });
});
