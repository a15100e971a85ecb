import { describe, expect, it } from 'vitest';
import { KeyLatches } from './key-latches.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** An action that ends when told to, and a record of which actions are under way. */
function actions() {
  const latches = new KeyLatches();
  const running: string[] = [];
  const start = (label: string, names: readonly string[]): { end(error?: Error): void; readonly done: Promise<void> } => {
    let end: (error?: Error) => void = () => undefined;
    const done = latches.hold(names, () => {
      running.push(label);
      return new Promise<void>((resolve, reject) => {
        end = (error) => {
          running.splice(running.indexOf(label), 1);
          if (error) reject(error);
          else resolve();
        };
      });
    });
    return {
      end: (error) => {
        end(error);
      },
      done,
    };
  };
  return { running, start };
}

describe('key latches', () => {
  it('run actions on one name in turn, and on different names at once', async () => {
    const { running, start } = actions();
    const [one, two, other] = [start('one', ['a']), start('two', ['a']), start('other', ['b'])];
    await turn();
    expect(running).toEqual(['one', 'other']);
    one.end();
    await turn();
    expect(running).toEqual(['other', 'two']);
    two.end();
    other.end();
    await Promise.all([one.done, two.done, other.done]);
  });

  it('let those go on who wait behind a failure', async () => {
    const { running, start } = actions();
    const [one, two] = [start('one', ['a']), start('two', ['a'])];
    await turn();
    one.end(new Error('failed'));
    await expect(one.done).rejects.toThrow('failed');
    await turn();
    expect(running).toEqual(['two']);
    two.end();
    await two.done;
  });

  it('never deadlock over several names in any order', async () => {
    const latches = new KeyLatches();
    const names = ['a', 'b', 'c', 'd'];
    let ended = 0;
    await Promise.all(
      Array.from({ length: 200 }, (_, at) =>
        latches.hold(
          [names[at % 4]!, names[(at * 3 + 1) % 4]!].filter((name, index, all) => all.indexOf(name) === index),
          async () => {
            await turn();
            ended++;
          },
        ),
      ),
    );
    expect(ended).toBe(200);
  });
});
