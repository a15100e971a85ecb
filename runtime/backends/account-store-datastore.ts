// Accounts as entities of the system app:
//
//   Account, name = e-mail address    id, hash, createdAtMs, epoch · adminOf (list of texts)
import { z } from 'zod';
import { type Datastore } from '../../sdk/client/datastore.ts';
import { type AppEntity } from '../../sdk/client/natural-value.ts';
import { PlatformError, toPlatformError } from '../../sdk/contract/errors.ts';
import { type AccountRecord, type AccountStore } from '../services/account-store.ts';

const KIND = 'Account';
const UNINDEXED = ['id', 'hash', 'createdAtMs', 'epoch', 'adminOf'];

/** Checked, since an older release may have written it. */
const properties = z.object({
  id: z.string(),
  hash: z.string(),
  createdAtMs: z.number(),
  epoch: z.number(),
  adminOf: z.array(z.string()),
});

export class DatastoreAccountStore implements AccountStore {
  readonly #datastore: Datastore;

  /** `datastore`: that of the system app. */
  constructor(datastore: Datastore) {
    this.#datastore = datastore;
  }

  async load(): Promise<readonly AccountRecord[]> {
    const { entities } = await this.#datastore.gql(`SELECT * FROM ${KIND}`);
    return entities.map(recordOf);
  }

  async insert(account: AccountRecord): Promise<void> {
    await translated(this.#datastore.insert(this.#entityOf(account)), 'DS_ALREADY_EXISTS', 'ACCOUNT_EXISTS', account.email);
  }

  async update(account: AccountRecord): Promise<void> {
    await translated(this.#datastore.update(this.#entityOf(account)), 'DS_NOT_FOUND', 'ACCOUNT_NOT_FOUND', account.email);
  }

  async delete(email: string): Promise<void> {
    await this.#datastore.delete(this.#datastore.key(KIND, email));
  }

  #entityOf({ email, id, passwordHash, createdAtMs, epoch, adminOf }: AccountRecord): AppEntity {
    return {
      key: this.#datastore.key(KIND, email),
      properties: { id, hash: passwordHash, createdAtMs, epoch, adminOf: [...adminOf] },
      unindexed: UNINDEXED,
    };
  }
}

function recordOf(entity: AppEntity): AccountRecord {
  const parsed = properties.safeParse(entity.properties);
  const { name } = entity.key;
  if (!parsed.success || name === undefined) throw new PlatformError('DS_CORRUPT', `the account ${name ?? ''} cannot be read`);
  const { hash, ...rest } = parsed.data;
  return { email: name, passwordHash: hash, ...rest };
}

async function translated(
  write: Promise<unknown>,
  from: 'DS_ALREADY_EXISTS' | 'DS_NOT_FOUND',
  to: 'ACCOUNT_EXISTS' | 'ACCOUNT_NOT_FOUND',
  email: string,
): Promise<void> {
  try {
    await write;
  } catch (cause) {
    throw toPlatformError(cause).code === from ? new PlatformError(to, email, { cause }) : cause;
  }
}
