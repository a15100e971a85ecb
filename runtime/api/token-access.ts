// Who calls the public datastore API, by the token that they bear. It reads the control role's records where they lie, in
// this process's own datastore, so it works while control is away, and a token that was deleted is refused at once.
// Read next: ../control/datastore-token-secret.ts for what a token is, datastore/api/v1/transport/bound-project.ts for where it leads.
import { boundProject } from '../../datastore/api/v1/transport/bound-project.ts';
import { type V1Credentials, type V1Identity } from '../../datastore/api/v1/transport/identity.ts';
import { type Datastore } from '../../datastore/datastore.ts';
import { decodeEntity, encodeEntity, encodeKey } from '../../sdk/contract/entity-proto.ts';
import { type Entity } from '../../sdk/contract/entity.ts';
import { PlatformError, toPlatformError } from '../../sdk/contract/errors.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type Clock } from '../../sdk/support/clock.ts';
import { type Log } from '../../sdk/support/log.ts';
import { type DatastoreTokenRecord } from '../control/control-store.ts';
import { controlKey, recordOf, SYSTEM_APP_ID } from '../control/datastore-control-store.ts';
import { tokenHash } from '../control/datastore-token-secret.ts';
import { lastUseOf, withUse } from '../control/datastore-token-use.ts';

const SCOPE = { appId: SYSTEM_APP_ID };
const HOW = 'make a token with `appengine datastore tokens create --app ID`, and send it as `authorization: Bearer TOKEN`';

interface KnownToken {
  readonly record: DatastoreTokenRecord;
  /** As it is in the datastore. */
  readonly entity: Entity;
}

export class TokenAccess {
  readonly #datastore: Pick<Datastore, 'lookup' | 'commit'>;
  readonly #clock: Clock;
  readonly #log: Log;
  /** By hash; those that came first are forgotten first. */
  readonly #known = new Map<string, KnownToken>();
  /** Grows with each change of the records: what was read before it is not remembered after it. */
  #changes = 0;
  readonly #noting = new Set<string>();

  constructor(datastore: Pick<Datastore, 'lookup' | 'commit'>, clock: Clock, log: Log) {
    this.#datastore = datastore;
    this.#clock = clock;
    this.#log = log;
  }

  /** To be told of every write to the system app's data, before the writer hears of it. */
  recordsChanged(): void {
    this.#changes++;
    this.#known.clear();
  }

  /** Throws V1_UNAUTHENTICATED, and what reading the datastore throws. */
  async authenticate({ authorization }: Pick<V1Credentials, 'authorization'>): Promise<V1Identity> {
    if (authorization === undefined || authorization === '') throw refused('none came with the call');
    const text = /^Bearer +(\S{1,512})$/i.exec(authorization)?.[1];
    const hash = text === undefined ? undefined : tokenHash(text);
    if (hash === undefined) throw refused('what came as `authorization` is not one');
    const known = this.#known.get(hash) ?? (await this.#read(hash));
    if (!known) throw refused('the one that came is unknown; perhaps it was deleted');
    const { appId, expiresAtMs, access } = known.record;
    const nowMs = this.#clock.nowMs();
    if (expiresAtMs !== undefined && nowMs >= expiresAtMs) {
      throw refused(`the one that came expired at ${new Date(expiresAtMs).toISOString().slice(0, 19)}Z`);
    }
    if (nowMs - (lastUseOf(known.entity) ?? -Infinity) >= LIMITS.datastoreTokenUseMs) void this.#noteUse(hash, known.entity, nowMs);
    return { appOf: boundProject(appId), isProven: true, isReadOnly: access === 'read-only' };
  }

  async #read(hash: string): Promise<KnownToken | undefined> {
    const changes = this.#changes;
    const { found } = await this.#datastore.lookup(SCOPE, [encodeKey(controlKey('datastore-token', hash))]);
    if (!found[0]) return undefined;
    const entity = decodeEntity(found[0].entity);
    const record = recordOf(entity);
    if (record.kind !== 'datastore-token') throw new PlatformError('DS_CORRUPT', 'the record of a token is one of something else');
    const token = { record, entity };
    if (changes === this.#changes) this.#remember(hash, token);
    return token;
  }

  #remember(hash: string, token: KnownToken): void {
    const [oldest] = this.#known.keys();
    if (this.#known.size >= LIMITS.datastoreTokensCachedMax && oldest !== undefined) this.#known.delete(oldest);
    this.#known.set(hash, token);
  }

  /** Beside the call: nobody waits for it, and a token that is deleted meanwhile stays deleted. */
  async #noteUse(hash: string, entity: Entity, nowMs: number): Promise<void> {
    if (this.#noting.has(hash)) return;
    this.#noting.add(hash);
    try {
      await this.#datastore.commit(SCOPE, [{ op: 'update', entity: encodeEntity(withUse(entity, nowMs)) }]);
    } catch (error) {
      if (toPlatformError(error).code !== 'DS_NOT_FOUND') this.#log.info('The use of a datastore token could not be noted', { error });
    } finally {
      this.#noting.delete(hash);
    }
  }
}

function refused(what: string): PlatformError {
  return new PlatformError('V1_UNAUTHENTICATED', `${what}; ${HOW}`);
}
