import { describe, expect, it } from 'vitest';
import { GroupCommit, type Write } from './group-commit.ts';
import { ReadSet } from './read-set.ts';

const key = (text: string): Buffer => Buffer.from(text);
const put = (text: string): Write => ({ key: key(text), value: key('v') });
const NO_READS = new ReadSet();

function reads(...keys: string[]): ReadSet {
  const set = new ReadSet();
  for (const text of keys) set.addKey(key(text));
  return set;
}

/** A disk whose batches finish when told to. */
class SlowDisk {
  readonly batches: { readonly size: number; finish(error?: Error): void }[] = [];

  write = (groups: readonly (readonly Write[])[]): Promise<void> =>
    new Promise((resolve, reject) => {
      this.batches.push({
        size: groups.length,
        finish: (error) => {
          if (error) reject(error);
          else resolve();
        },
      });
    });
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function opened(options = {}): { disk: SlowDisk; commits: GroupCommit } {
  const disk = new SlowDisk();
  const commits = new GroupCommit(disk.write, options);
  commits.reset();
  return { disk, commits };
}

describe('group commit', () => {
  it('writes what became ready during a batch as one batch', async () => {
    const { disk, commits } = opened();
    const start = commits.begin();
    const first = commits.submit(start, NO_READS, [put('a')], 1);
    await turn();
    const rest = ['b', 'c', 'd'].map((text) => commits.submit(start, NO_READS, [put(text)], 1));
    await turn();
    expect(disk.batches.map((batch) => batch.size)).toEqual([1]);
    disk.batches[0]?.finish();
    await first;
    await turn();
    expect(disk.batches.map((batch) => batch.size)).toEqual([1, 3]);
    disk.batches[1]?.finish();
    await Promise.all(rest);
  });

  it('lets half of many work while the other half is written', async () => {
    const { disk, commits } = opened();
    const start = commits.begin();
    let open = 100;
    const client = async (name: number): Promise<void> => {
      for (let round = 0; round < 3; round++) await commits.submit(start, NO_READS, [put(`${name}/${round}`)], 1);
      open--;
    };
    const clients = Array.from({ length: 100 }, (_, name) => client(name));
    for (let batch = 0; open > 0; batch++) {
      await turn();
      disk.batches[batch]?.finish();
    }
    await Promise.all(clients);
    expect(disk.batches.map((batch) => batch.size)).toEqual([50, 50, 50, 50, 50, 50]);
  });

  it('acknowledges nothing before its batch is durable', async () => {
    const { disk, commits } = opened();
    let acknowledged = false;
    const commit = commits.submit(commits.begin(), NO_READS, [put('a')], 1).then(() => (acknowledged = true));
    await turn();
    expect(acknowledged).toBe(false);
    disk.batches[0]?.finish();
    await commit;
  });

  it('tells each member the number of its batch before that is written, and refused ones nothing', async () => {
    const { disk, commits } = opened();
    const [one, two] = [commits.begin(), commits.begin()];
    const told: string[] = [];
    const submit = (name: string, start: typeof one, set = NO_READS): Promise<void> =>
      commits.submit(start, set, [put(name)], 1, (batch) => told.push(`${name} ${batch} ${disk.batches.length}`));
    const first = [submit('a', one), submit('b', one)];
    const refused = expect(submit('c', two, reads('a'))).rejects.toMatchObject({ code: 'DS_TX_CONFLICT' });
    expect(told).toEqual([]);
    await turn();
    expect(told).toEqual(['a 1 0', 'b 1 0']);
    disk.batches[0]?.finish();
    await Promise.all([...first, refused]);
    const second = submit('d', commits.begin());
    await turn();
    expect(told).toEqual(['a 1 0', 'b 1 0', 'd 2 1']);
    disk.batches[1]?.finish();
    await second;
  });

  it('checks members of one window against each other in order', async () => {
    const { disk, commits } = opened();
    const [one, two] = [commits.begin(), commits.begin()];
    const first = commits.submit(one, reads('x'), [put('x')], 1);
    const second = commits.submit(two, reads('x'), [put('x')], 1);
    await expect(second).rejects.toMatchObject({ code: 'DS_TX_CONFLICT' });
    disk.batches[0]?.finish();
    await first;
  });

  it('takes no more writes after a failed batch until it is reset, and says why', async () => {
    const { disk, commits } = opened();
    const first = commits.submit(commits.begin(), NO_READS, [put('a')], 1);
    await turn();
    const waiting = commits.submit(commits.begin(), NO_READS, [put('b')], 1);
    disk.batches[0]?.finish(new Error('disk full'));
    await expect(first).rejects.toMatchObject({ code: 'DS_CLOSED', cause: { message: 'disk full' } });
    await expect(waiting).rejects.toMatchObject({ code: 'DS_CLOSED' });
    await expect(commits.submit(commits.begin(), NO_READS, [put('c')], 1)).rejects.toMatchObject({ code: 'DS_CLOSED' });
    expect(disk.batches).toHaveLength(1);
    commits.reset();
    const again = commits.submit(commits.begin(), reads('a'), [put('c')], 1);
    await turn();
    disk.batches[1]?.finish();
    await again;
  });

  it('refuses a transaction with reads that is older than the window of recent writes', async () => {
    const { disk, commits } = opened({ recentWritesMax: 2_000 });
    const old = commits.begin();
    const finishAll = async (commit: Promise<void>): Promise<void> => {
      await turn();
      disk.batches.at(-1)?.finish();
      await commit;
    };
    for (let round = 0; round < 4; round++) {
      const writes = Array.from({ length: 1_000 }, (_, index) => put(`${round}/${index}`));
      await finishAll(commits.submit(commits.begin(), NO_READS, writes, 1));
    }
    await expect(commits.submit(old, reads('never written'), [put('z')], 1)).rejects.toMatchObject({ code: 'DS_TX_CONFLICT' });
    await finishAll(commits.submit(old, NO_READS, [put('z')], 1));
  });

  it('refuses commits beyond the queue limit', async () => {
    const { disk, commits } = opened();
    const start = commits.begin();
    const accepted = Array.from({ length: 10_000 }, () => commits.submit(start, NO_READS, [put('a')], 1));
    await expect(commits.submit(start, NO_READS, [put('a')], 1)).rejects.toMatchObject({ code: 'DS_OVERLOADED' });
    for (let batch = 0; batch < 2; batch++) {
      await turn();
      disk.batches[batch]?.finish();
    }
    await Promise.all(accepted);
  });
});
