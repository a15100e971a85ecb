// An app's entities out and in, as newline-delimited JSON. The files of `appengine datastore export`: docs/datastore.md.
//
//   POST /apps/A/datastore/export                        ExportRequest → newline-delimited ExportLine, the last one `end` or `failed`
//   POST /apps/A/datastore/import?mode=M&from=B&skip=1   lines         → ImportResult
//
// The body of an import is lines of EntityLine, of type application/x-ndjson, as long as importBodyBytesMax. It is written in
// commits of bounded size as it arrives; `from` is the app whose keys become those of A.
import { type ErrorBody } from '../errors.ts';
import { type JsonKey, type JsonValue } from './data.ts';

/** A line of an export: the public v1 API's EntityResult. Imports look at `entity` alone. */
export interface EntityLine {
  readonly entity: { readonly key: JsonKey; readonly properties: Readonly<Record<string, JsonValue>> };
  /** Of its last write, decimal. */
  readonly version?: string;
  /** RFC 3339. */
  readonly createTime?: string;
  readonly updateTime?: string;
}

export interface ExportFilters {
  /** Absent: all of them. */
  readonly kinds?: readonly string[];
  readonly namespaces?: readonly string[];
  readonly database?: string;
  /** RFC 3339: only what was written after this time. Deletions are not in an export. */
  readonly since?: string;
}

export interface ExportRequest extends ExportFilters {
  /** Begins behind the entity with this key. */
  readonly after?: JsonKey;
  /** Of which moment the export is, as a `page` said; absent: of now. */
  readonly readTime?: string;
}

export type ExportLine =
  | EntityLine
  /** Behind the entities of each page: rows walked by now, and of which moment they are. */
  | { readonly page: { readonly rows: number; readonly readTime: string } }
  | { readonly end: { readonly entities: number } }
  | { readonly failed: ErrorBody };

export type ImportMode = 'insert' | 'upsert';

export interface ImportFailure {
  /** Within the body, from 1. */
  readonly line: number;
  readonly error: ErrorBody;
}

export interface ImportResult {
  /** Entities written. */
  readonly written: number;
  /** Lines that are not written. Without `skip` at most one: it ended the import. */
  readonly failures: readonly ImportFailure[];
}
