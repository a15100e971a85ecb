// TTL policies: which property of which kind says when an entity expires. They are settings of an app; ttl-sweeper.ts obeys them.
import { type TtlPolicyView } from '../../sdk/contract/admin/ttl.ts';
import { PlatformError } from '../../sdk/contract/errors.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { isReserved } from '../codec/key-check.ts';
import { appKindsPrefix, kindPrefix, propertyPrefix, readKindRowKey } from '../codec/row-key.ts';
import { type SettingsCatalog } from '../settings/settings-catalog.ts';
import { keyAfterPrefix, prefixRange } from '../storage/key-bytes.ts';
import { type KeyRange, type Store } from '../storage/port.ts';

/** Looked through for an entity of the kind when a policy is set. */
const PARTITIONS_MAX = 50;

export class TtlPolicies {
  readonly #store: Store;
  readonly #settings: SettingsCatalog;

  constructor(store: Store, settings: SettingsCatalog) {
    this.#store = store;
    this.#settings = settings;
  }

  list(appId: string): readonly TtlPolicyView[] {
    return this.#settings.of(appId).ttl;
  }

  /** In the place of the kind's earlier one, if it has one. Throws DS_INVALID, DS_LIMIT. */
  async set(appId: string, policy: TtlPolicyView): Promise<TtlPolicyView & { readonly isIndexed: boolean }> {
    checkName('kind', policy.kind);
    checkName('property', policy.property);
    await this.#settings.change(appId, (settings) => {
      const others = settings.ttl.filter(({ kind }) => kind !== policy.kind);
      if (others.length >= LIMITS.ttlPoliciesMax) {
        throw new PlatformError('DS_LIMIT', `an app has at most ${LIMITS.ttlPoliciesMax} TTL policies`);
      }
      return { ...settings, ttl: [...others, policy] };
    });
    return { ...policy, isIndexed: await this.#isIndexed(appId, policy) };
  }

  /** Whether there was one. Entities of the kind stay from now on, whatever their property says. */
  async clear(appId: string, kind: string): Promise<boolean> {
    let wasThere = false;
    await this.#settings.change(appId, (settings) => {
      const ttl = settings.ttl.filter((policy) => policy.kind !== kind);
      wasThere = ttl.length < settings.ttl.length;
      return { ...settings, ttl };
    });
    return wasThere;
  }

  /** False when there are entities of the kind, and none in the namespace where the first one is has the property indexed. */
  async #isIndexed(appId: string, { kind, property }: TtlPolicyView): Promise<boolean> {
    const { from: start, to } = prefixRange(appKindsPrefix(appId));
    let from = start;
    for (let seen = 0; seen < PARTITIONS_MAX; seen++) {
      const first = await this.#firstKey({ from, to });
      if (!first) return true;
      const { partition } = readKindRowKey(first);
      if (await this.#firstKey(prefixRange(kindPrefix(partition, kind)))) {
        return (await this.#firstKey(prefixRange(propertyPrefix(partition, kind, property)))) !== undefined;
      }
      from = keyAfterPrefix(partition.kinds) ?? to;
    }
    return true;
  }

  async #firstKey(range: KeyRange): Promise<Buffer | undefined> {
    const scan = this.#store.scan(range, { limit: 1, keysOnly: true });
    const [row] = await scan.next(1).finally(() => scan.close());
    return row?.key;
  }
}

function checkName(what: 'kind' | 'property', name: string): void {
  if (name === '' || isReserved(name))
    throw new PlatformError('DS_INVALID', `the ${what} of a TTL policy cannot be ${JSON.stringify(name)}`);
  if (Buffer.byteLength(name) > LIMITS.keyNameBytesMax) {
    throw new PlatformError('DS_LIMIT', `the ${what} of a TTL policy has at most ${LIMITS.keyNameBytesMax} bytes`);
  }
}
