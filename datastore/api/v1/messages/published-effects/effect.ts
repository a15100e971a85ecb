// What shows that fields of requests are honoured.
import { expect } from 'vitest';
import { type VirtualTime } from '../../../../../sdk/support/virtual-time.ts';
import { type V1Service } from '../../port.ts';
import { type Plain, type V1Client } from '../v1-fixture.ts';

export interface World {
  readonly service: V1Service;
  readonly client: V1Client;
  readonly time: VirtualTime;
}

export interface Effect {
  readonly what: string;
  /** `Message.field`, in the names that Google's clients have. */
  readonly fields: readonly string[];
  /** Throws unless each of the fields does what it is there for. */
  readonly show: (world: World) => Promise<void>;
}

export function effect(what: string, fields: readonly string[], show: Effect['show']): Effect {
  return { what, fields, show };
}

export async function write({ client }: Pick<World, 'client'>, ...mutations: readonly Plain[]): Promise<readonly Plain[]> {
  const { mutationResults } = await client.call<{ readonly mutationResults: readonly Plain[] }>('Commit', {
    mode: 'NON_TRANSACTIONAL',
    mutations,
  });
  return mutationResults;
}

interface Found {
  readonly found?: readonly {
    readonly entity: { readonly key: Plain; readonly properties?: Readonly<Record<string, Plain>> };
    readonly version: string;
  }[];
  readonly missing?: readonly Plain[];
  readonly transaction?: string;
}

export function lookUp({ client }: Pick<World, 'client'>, keys: readonly Plain[], rest: Plain = {}): Promise<Found> {
  return client.call<Found>('Lookup', { keys, ...rest });
}

/** The properties of one entity; undefined when it is missing. */
export async function propertiesOf(
  world: Pick<World, 'client'>,
  key: Plain,
  rest: Plain = {},
): Promise<Readonly<Record<string, Plain>> | undefined> {
  const { found = [] } = await lookUp(world, [key], rest);
  return found[0] && (found[0].entity.properties ?? {});
}

export interface Batch {
  readonly entityResults?: readonly {
    readonly entity: { readonly key: { readonly path: readonly Plain[] }; readonly properties: Readonly<Record<string, Plain>> };
    readonly cursor: string;
  }[];
  readonly moreResults: string;
  readonly endCursor: string;
  readonly skippedResults?: number;
  readonly snapshotVersion?: string;
}

export async function run({ client }: Pick<World, 'client'>, query: Plain, rest: Plain = {}): Promise<Batch> {
  const { batch } = await client.call<{ readonly batch: Batch }>('RunQuery', { query: { kind: [{ name: 'Task' }], ...query }, ...rest });
  return batch;
}

/** Ids or names of the results, in their order. */
export function idsOf({ entityResults = [] }: Batch): readonly unknown[] {
  return entityResults.map(({ entity }) => {
    const last = entity.key.path.at(-1);
    return last?.name ?? Number(last?.id);
  });
}

export async function expectRefusal(call: Promise<unknown>, text: string | RegExp): Promise<void> {
  await expect(call).rejects.toThrow(text);
}
