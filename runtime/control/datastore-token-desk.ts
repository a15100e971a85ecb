// Datastore tokens as the console and the command line manage them: DatastoreTokensApi over the registry, which has the
// tokens, and over the datastore, which knows when each was used. Read next: ../api/token-access.ts, which lets them in.
import { type DatastoreTokensApi } from '../../admin-console/ports.ts';
import {
  type DatastoreTokenCreated,
  type DatastoreTokenRequest,
  type DatastoreTokenView,
} from '../../sdk/contract/admin/datastore-tokens.ts';
import { type LookupRequest, type LookupResponse } from '../../sdk/contract/datastore-wire.ts';
import { decodeEntity, encodeKey } from '../../sdk/contract/entity-proto.ts';
import { type Rpc } from '../../sdk/contract/wire/client.ts';
import { type Clock, type Random } from '../../sdk/support/clock.ts';
import { type AppRegistry } from './app-registry.ts';
import { type DatastoreTokenRecord } from './control-store.ts';
import { controlKey, DATASTORE_ADMIN_SERVICE, SYSTEM_APP_ID } from './datastore-control-store.ts';
import { newTokenSecret, tokenHash } from './datastore-token-secret.ts';
import { lastUseOf } from './datastore-token-use.ts';
import { appIn } from './registry-state.ts';

const ID_BYTES = 6;
const DAY_MS = 86_400_000;

export class DatastoreTokenDesk implements DatastoreTokensApi {
  readonly #registry: AppRegistry;
  readonly #rpc: Rpc;
  readonly #clock: Clock;
  readonly #random: Random;

  /** `rpc` reaches the datastore role. */
  constructor(registry: AppRegistry, rpc: Rpc, clock: Clock, random: Random) {
    this.#registry = registry;
    this.#rpc = rpc;
    this.#clock = clock;
    this.#random = random;
  }

  async list(appId: string): Promise<readonly DatastoreTokenView[]> {
    const records = [...appIn(this.#registry.state, appId).datastoreTokens].sort((one, other) => one.createdAtMs - other.createdAtMs);
    // What was made can be seen, and deleted, while the datastore restarts.
    const uses = records.length === 0 ? new Map<string, number>() : await this.#uses(records).catch(() => new Map<string, number>());
    return records.map((record) => {
      const usedAtMs = uses.get(record.hash);
      return { ...viewOf(record), ...(usedAtMs === undefined ? {} : { usedAtMs }) };
    });
  }

  async create(appId: string, { name = '', access = 'read-write', expiresDays }: DatastoreTokenRequest): Promise<DatastoreTokenCreated> {
    const secret = newTokenSecret(this.#random);
    const createdAtMs = this.#clock.nowMs();
    const record: DatastoreTokenRecord = {
      ...{ kind: 'datastore-token', appId, hash: tokenHash(secret) ?? '', id: this.#random.bytes(ID_BYTES).toString('hex') },
      ...{ name, access, createdAtMs },
      ...(expiresDays === undefined ? {} : { expiresAtMs: createdAtMs + expiresDays * DAY_MS }),
    };
    await this.#registry.addToken(record);
    return { ...viewOf(record), secret };
  }

  async delete(appId: string, id: string): Promise<void> {
    await this.#registry.deleteToken(appId, id);
  }

  async #uses(records: readonly DatastoreTokenRecord[]): Promise<Map<string, number>> {
    const request: LookupRequest = { keys: records.map(({ hash }) => encodeKey(controlKey('datastore-token', hash))) };
    const payload = { appId: SYSTEM_APP_ID, ...request };
    const answer = (await this.#rpc.call(DATASTORE_ADMIN_SERVICE, 'lookup', payload, { idempotent: true })) as LookupResponse;
    const entities = answer.found.map(({ entity }) => decodeEntity(entity));
    return new Map(
      entities.flatMap((entity) => {
        const usedAtMs = lastUseOf(entity);
        return usedAtMs === undefined ? [] : [[entity.key.path[0]?.name ?? '', usedAtMs] as const];
      }),
    );
  }
}

function viewOf({ id, name, access, createdAtMs, expiresAtMs }: DatastoreTokenRecord): DatastoreTokenView {
  return { id, name, access, createdAtMs, ...(expiresAtMs === undefined ? {} : { expiresAtMs }) };
}
