// The composite indexes of one app.
//
//   GET    /apps/A/datastore/indexes                    → { indexes: IndexView[] }    by id
//   POST   /apps/A/datastore/indexes    IndexesRequest  → { indexes: IndexView[] }    of the definitions asked for
//   DELETE /apps/A/datastore/indexes/ID                 → {}                          its rows go in the background
import { type IndexDefinition, type IndexState } from '../index-definition.ts';

export interface IndexView extends IndexDefinition {
  /** Never used again within the app. */
  readonly id: number;
  /** Only a serving one answers queries. */
  readonly state: IndexState;
  /** While building: entities indexed so far; while deleting: index rows gone so far. */
  readonly done: number;
  /** Entities that there were to index when building began; 0 when unknown. */
  readonly estimate: number;
  /** Why it is in error. */
  readonly reason?: string;
}

/** Makes those that are missing, and failed ones anew. */
export interface IndexesRequest {
  readonly indexes: readonly IndexDefinition[];
}
