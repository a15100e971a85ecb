// Kills a process in the middle of its commits and looks at what is left: everything acknowledged, no half commit.
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, it } from 'vitest';
import { LevelStore } from '../../datastore/storage/level-store.ts';

/** Each commit writes two rows that belong together, then says so. */
const WRITER = `
import { LevelStore } from ${JSON.stringify(new URL('../../datastore/storage/level-store.ts', import.meta.url).href)};
const store = new LevelStore(process.argv[1]);
await store.start();
let next = Number(process.argv[2]);
await Promise.all(Array.from({ length: 16 }, async () => {
  for (;;) {
    const id = next++;
    const transaction = store.begin();
    transaction.put(Buffer.from('left/' + id), Buffer.from('x'.repeat(500)));
    transaction.put(Buffer.from('right/' + id), Buffer.from('x'.repeat(500)));
    await transaction.commit();
    process.stdout.write(id + '\\n');
  }
}));
`;

async function runAndKill(folder: string, from: number, commits: number): Promise<readonly number[]> {
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', WRITER, folder, String(from)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const acknowledged: number[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    acknowledged.push(Number(line));
    if (acknowledged.length === commits) child.kill('SIGKILL');
  }
  return acknowledged;
}

describe('level store killed in the middle of commits', () => {
  it('keeps every acknowledged commit and no half of one', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'storage-crash-'));
    const acknowledged: number[] = [];
    for (let round = 0; round < 3; round++) {
      acknowledged.push(...(await runAndKill(folder, round * 1_000_000, 300 + round * 77)));
      const store = new LevelStore(folder);
      await store.start();
      const idsOf = async (prefix: string): Promise<ReadonlySet<number>> => {
        const scan = store.scan({ from: Buffer.from(`${prefix}/`), to: Buffer.from(`${prefix}0`) }, { keysOnly: true });
        const ids = new Set<number>();
        for (let rows = await scan.next(500); rows.length > 0; rows = await scan.next(500)) {
          for (const { key } of rows) ids.add(Number(key.toString().slice(prefix.length + 1)));
        }
        await scan.close();
        return ids;
      };
      const [left, right] = [await idsOf('left'), await idsOf('right')];
      expect(left).toEqual(right);
      expect(acknowledged.filter((id) => !left.has(id))).toEqual([]);
      await store.close();
    }
    expect(acknowledged.length).toBeGreaterThan(1_000);
    await rm(folder, { recursive: true, force: true });
  }, 60_000);
});
