// TTL policies of an app, as the console and the command line set them: entities of a kind are deleted once the time in a
// property has passed.
//
//   GET    /apps/A/datastore/ttl                       → { policies: TtlPolicyView[] }
//   PUT    /apps/A/datastore/ttl/KIND   { property } → TtlPolicyAnswer              (DS_INVALID, DS_LIMIT)
//   DELETE /apps/A/datastore/ttl/KIND                  → {}                         (NOT_FOUND)

export interface TtlPolicyView {
  readonly kind: string;
  readonly property: string;
}

export interface TtlPolicyAnswer extends TtlPolicyView {
  /** False when the kind has entities whose property is not indexed, as far as was looked: such entities never expire. */
  readonly isIndexed: boolean;
}
