import { type Datastore } from '../../datastore.ts';
import { type DatastoreScope } from '../../codec/own-key.ts';
import { type CallGuard } from './port.ts';

/** What the work of one call needs besides its request. */
export interface Call {
  readonly datastore: Datastore;
  readonly scope: DatastoreScope & { readonly projectId: string; readonly databaseId: string };
  readonly signal: AbortSignal;
  readonly guard?: CallGuard;
}
