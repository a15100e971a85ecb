import { describe, expect, it } from 'vitest';
import { systemRandom } from '../../sdk/support/clock.ts';
import { type PreparedSandbox, type Sandbox } from '../sandbox/port.ts';
import { type ResourceControl, type ResourceGroup } from '../sandbox/resource-control.ts';
import { SpareSandboxes } from './spare-sandboxes.ts';

function setUp(count: number) {
  const events: string[] = [];
  let prepared = 0;
  const prepare = (): PreparedSandbox => {
    const name = `sandbox ${++prepared}`;
    events.push(`${name} is prepared`);
    return {
      join: (group) => events.push(`${name} joins ${(group as NamedGroup).name}`),
      run: () => {
        throw new Error('nothing runs here');
      },
      discard: () => {
        events.push(`${name} is discarded`);
        return Promise.resolve();
      },
    };
  };
  let groups = 0;
  const create = (_id: string, sibling?: ResourceGroup): NamedGroup => {
    const name = sibling === undefined ? `group ${++groups}` : `a group beside ${(sibling as NamedGroup).name}`;
    return { name, close: () => Promise.resolve(void events.push(`${name} is closed`)) } as NamedGroup;
  };
  const spares = new SpareSandboxes({ prepare } as Sandbox, { create } as unknown as ResourceControl, systemRandom, { count });
  /** What happened since the last call. */
  return { spares, happened: () => events.splice(0) };
}

interface NamedGroup extends ResourceGroup {
  readonly name: string;
}

describe('spare sandboxes', () => {
  it('wait in a group of their own for new apps, and without one for further instances', async () => {
    const { spares, happened } = setUp(1);
    spares.fill();
    expect(happened()).toEqual(['sandbox 1 is prepared', 'sandbox 1 joins group 1', 'sandbox 2 is prepared']);
    const first = spares.take();
    expect(happened()).toEqual([]);
    spares.take(first.group);
    expect(happened()).toEqual(['sandbox 2 joins a group beside group 1']);
    spares.refill();
    spares.refill();
    spares.refill();
    expect(happened()).toEqual(['sandbox 3 is prepared', 'sandbox 3 joins group 2', 'sandbox 4 is prepared']);
    await spares.close();
    expect(happened()).toEqual(['sandbox 3 is discarded', 'sandbox 4 is discarded', 'group 2 is closed']);
    spares.refill();
    expect(happened()).toEqual([]);
  });

  it('are made when they are asked for where none waits', () => {
    const { spares, happened } = setUp(0);
    spares.fill();
    expect(happened()).toEqual([]);
    const first = spares.take();
    spares.take(first.group);
    expect(happened()).toEqual([
      ...['sandbox 1 is prepared', 'sandbox 1 joins group 1'],
      ...['sandbox 2 is prepared', 'sandbox 2 joins a group beside group 1'],
    ]);
  });
});
