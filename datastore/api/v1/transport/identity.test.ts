import { describe, expect, it } from 'vitest';
import { LIMITS } from '../../../../sdk/contract/limits.ts';
import { checkProjectId, openToAll } from './identity.ts';
import { isLoopback } from './loopback.ts';

const idOf = async (projectId: string): Promise<string> => (await openToAll({ authorization: undefined, isLocal: true })).appOf(projectId);

describe('a port that is open to all', () => {
  it.each(['shop', 'my-project-1', 'example.com:shop', 's_1', 'A', 'p'.repeat(LIMITS.projectIdCharactersMax)])(
    'takes the project %s for the app of that id',
    async (projectId) => {
      expect(await idOf(projectId)).toBe(projectId);
    },
  );

  it.each(['~system', '~images', '-a', 'a/b', 'a b', 'ä', '..', 'a\0', 'a\n', `${'p'.repeat(LIMITS.projectIdCharactersMax)}p`])(
    'refuses %j, which is no project id',
    async (projectId) => {
      await expect(idOf(projectId)).rejects.toMatchObject({ code: 'DS_INVALID' });
    },
  );

  it('wants one', () => {
    expect(() => {
      checkProjectId('');
    }).toThrow('Missing project id.');
  });

  it('proves nothing of its callers', async () => {
    expect((await openToAll({ authorization: 'Bearer owner', isLocal: true })).isProven).toBe(false);
  });
});

describe('an address of this machine itself', () => {
  it.each([
    ['127.0.0.1', true],
    ['127.255.255.254', true],
    ['::ffff:127.0.0.1', true],
    ['::1', true],
    ['10.0.0.1', false],
    ['::ffff:10.0.0.1', false],
    ['127.0.0.1.evil.example', false],
    ['1127.0.0.1', false],
    ['::', false],
    ['0.0.0.0', false],
    ['', false],
  ])('%s: %s', (address, isLocal) => {
    expect(isLoopback(address)).toBe(isLocal);
  });
});
