// The datastore viewer, memcache and mail of one app, as the console and the command line see them.
//
//   GET    /apps/A/datastore/namespaces                         → { namespaces: string[] }      ('' is the default one)
//   GET    /apps/A/datastore/kinds?namespace=N                  → { kinds: KindView[] }
//   POST   /apps/A/datastore/query          GqlRequestView      → GqlAnswerView
//   GET    /apps/A/datastore/entities/KEY                       → EntityView
//   PUT    /apps/A/datastore/entities       EntityWrite         → EntityView
//   DELETE /apps/A/datastore/entities/KEY                       → {}
//   GET    /apps/A/memcache                                     → MemcacheStatsView
//   GET    /apps/A/memcache/entry?namespace=N&key=K             → MemcacheEntryView             (NOT_FOUND)
//   PUT    /apps/A/memcache/entry           MemcacheEntryWrite  → MemcacheEntryView
//   DELETE /apps/A/memcache/entry?namespace=N&key=K             → {}
//   POST   /apps/A/memcache/flush                               → {}
//   GET    /apps/A/mail?limit=N                                 → { messages: MailSummaryView[] }  (newest first)
//   GET    /apps/A/mail/ID                                      → MailView
//   GET    /apps/A/mail/ID/raw                                  → message/rfc822, as an attachment
//   GET    /apps/A/mail/ID/attachments/N                        → its bytes, as an attachment
//   DELETE /apps/A/mail/ID                                      → {}

/** A value as the public v1 REST API writes it: exactly one `…Value` member, and what stands beside it. */
export interface JsonValue {
  readonly nullValue?: null;
  readonly booleanValue?: boolean;
  /** Decimal, since JavaScript's numbers end at 2^53. */
  readonly integerValue?: string;
  readonly doubleValue?: number | 'NaN' | 'Infinity' | '-Infinity' | '-0';
  /** RFC 3339 with up to six decimals; times that it has no form for as formatTimestamp writes them. */
  readonly timestampValue?: string;
  readonly stringValue?: string;
  /** Base64. */
  readonly blobValue?: string;
  readonly keyValue?: JsonKey;
  readonly geoPointValue?: { readonly latitude: number; readonly longitude: number };
  readonly entityValue?: { readonly key?: JsonKey; readonly properties: Readonly<Record<string, JsonValue>> };
  readonly arrayValue?: { readonly values: readonly JsonValue[] };
  readonly excludeFromIndexes?: boolean;
  readonly meaning?: number;
}

export interface JsonKey {
  readonly partitionId?: { readonly projectId?: string; readonly databaseId?: string; readonly namespaceId?: string };
  /** `id` is decimal. */
  readonly path: readonly { readonly kind: string; readonly id?: string; readonly name?: string }[];
}

export interface KindView {
  readonly kind: string;
}

export interface GqlRequestView {
  readonly gql: string;
  readonly namespace?: string;
  /** Arguments of `@name` and `@1`. */
  readonly named?: Readonly<Record<string, JsonValue>>;
  readonly positional?: readonly JsonValue[];
  /** Results of one page, at most queryBatchResultsMax; default 50. */
  readonly pageSize?: number;
  /** `cursor` of the page before. */
  readonly cursor?: string;
  readonly explain?: boolean;
  /** RFC 3339, at most an hour ago: the state of then. The same for all pages. */
  readonly readTime?: string;
}

export interface EntityView {
  /** Names the entity in addresses: base64url of its key message. */
  readonly id: string;
  /** As people read it: `Guestbook:"main" / Greeting:5`. */
  readonly name: string;
  readonly key: JsonKey;
  readonly properties: Readonly<Record<string, JsonValue>>;
  /** Of its last write, decimal; absent where only part of the entity was read. */
  readonly version?: string;
}

export interface GqlAnswerView {
  readonly kind: 'entities' | 'aggregation';
  readonly entities: readonly EntityView[];
  /** Of an aggregation: results by their names. */
  readonly values?: Readonly<Record<string, JsonValue>>;
  /** Present when there may be more. */
  readonly cursor?: string;
  readonly plan?: { readonly scans: readonly string[]; readonly indexRowsRead: number; readonly entitiesRead: number };
}

export interface EntityWrite {
  /** Incomplete to get an id. */
  readonly key: JsonKey;
  readonly properties: Readonly<Record<string, JsonValue>>;
  /** `insert` refuses an entity that is there, `update` one that is not. */
  readonly mode: 'insert' | 'update' | 'upsert';
  /** When given, the write is refused with DS_TX_CONFLICT unless the stored entity has this version. */
  readonly version?: string;
}

export interface MemcacheStatsView {
  readonly hits: number;
  readonly misses: number;
  /** Bytes that hits returned. */
  readonly byteHits: number;
  readonly items: number;
  readonly bytes: number;
  /** The app's share. */
  readonly bytesMax: number;
  /** Milliseconds since the least recently used item was touched; 0 when there is none. */
  readonly oldestItemAgeMs: number;
}

export interface MemcacheEntryView {
  readonly namespace: string;
  readonly key: string;
  /** Text, or base64 for bytes, or JSON for anything else. */
  readonly value: string;
  readonly encoding: 'text' | 'base64' | 'json';
  readonly bytes: number;
  readonly expiresAtMs?: number;
}

export interface MemcacheEntryWrite {
  readonly namespace: string;
  readonly key: string;
  readonly value: string;
  /** Zero: no end. */
  readonly expirationSeconds: number;
}

export interface MailSummaryView {
  readonly id: string;
  readonly sentAtMs: number;
  readonly from: string;
  readonly to: readonly string[];
  readonly subject: string;
  readonly bytes: number;
  readonly attachments: number;
  /** `spooled`: kept on disk alone, no SMTP server is set; else how its delivery went. */
  readonly state: 'spooled' | 'queued' | 'sent' | 'failed';
}

export interface MailView extends MailSummaryView {
  readonly cc: readonly string[];
  readonly bcc: readonly string[];
  readonly replyTo?: string;
  readonly text?: string;
  /** As the app wrote it: show it only in a sandboxed frame. */
  readonly html?: string;
  readonly files: readonly { readonly name: string; readonly contentType: string; readonly bytes: number }[];
  /** Why the delivery failed, as the SMTP server said. */
  readonly failure?: string;
}
