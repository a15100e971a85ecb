// The eight request messages, read strictly: every field is here, or refused by its name (field numbers: reference, 1.2).
// What they hold is read by the files of its family: read-options.ts, query-reader.ts, gql-reader.ts, mutation-reader.ts.
// Must not decide what a request means beyond its form. Read next: ../v1-service.ts.
import { PlatformError } from '../../../../sdk/contract/errors.ts';
import { LIMITS } from '../../../../sdk/contract/limits.ts';
import { ProtoReader } from '../../../../sdk/contract/protobuf.ts';
import { type AggregationQuery, type Query } from '../../../../sdk/contract/query.ts';
import { type PropertyPath } from '../../../codec/property-path.ts';
import { type Mutation } from '../../../transaction/mutation.ts';
import { type GqlQuery, readGqlQuery } from './gql-reader.ts';
import { known } from './known-fields.ts';
import { readPropertyMask } from './mask-reader.ts';
import { readMutation } from './mutation-reader.ts';
import { type PartitionId, readPartitionId } from './partition-id.ts';
import { readAggregationQuery, readQuery } from './query-reader.ts';
import { type Consistency, readReadOptions, readTransactionOptions, type TransactionOptions } from './read-options.ts';
import { another, enumValue, invalid, type Parts, unknownField, unsupported, whole } from './request-fields.ts';

/** Whose data a request is about. */
export interface Addressed {
  readonly projectId: string;
  /** Empty for the default database. */
  readonly databaseId: string;
}

export interface LookupRequest extends Addressed {
  readonly consistency: Consistency;
  readonly keys: readonly Buffer[];
  /** The properties to answer; absent for all. */
  readonly mask?: readonly PropertyPath[];
}

/** What is asked; its databases and namespaces are those of the partition, whatever the query says. */
export type QuerySource<Q> = { readonly kind: 'query'; readonly query: Q } | { readonly kind: 'gql'; readonly gql: GqlQuery };

export interface QueryRequest<Q> extends Addressed {
  readonly partition: PartitionId;
  readonly consistency: Consistency;
  readonly source: QuerySource<Q>;
  readonly explain: false | true | 'plan-only';
}

export interface RunQueryRequest extends QueryRequest<Query> {
  readonly mask?: readonly PropertyPath[];
}

export interface CommitRequest extends Addressed {
  readonly mode: 'transactional' | 'non-transactional';
  readonly transaction?: Buffer;
  readonly singleUse?: TransactionOptions;
  readonly mutations: readonly Mutation[];
}

export interface KeysRequest extends Addressed {
  readonly keys: readonly Buffer[];
}

const MODES: Readonly<Record<number, CommitRequest['mode']>> = { 0: 'transactional', 1: 'transactional', 2: 'non-transactional' };

/** The fields that all requests have. True when `reader` was at one of them. */
class Address {
  projectId = '';
  databaseId = '';

  take(reader: ProtoReader): boolean {
    if (reader.field === 8) this.projectId = reader.string();
    else if (reader.field === 9) this.databaseId = reader.string();
    else return false;
    return true;
  }
}

export function readLookup(bytes: Buffer): LookupRequest {
  const reader = new ProtoReader(bytes);
  const address = new Address();
  const keys: Buffer[] = [];
  let readOptions: Parts;
  let propertyMask: Parts;
  while (reader.next()) {
    if (address.take(reader)) continue;
    switch (reader.field) {
      case 1:
        readOptions = another(readOptions, reader);
        break;
      case 3:
        keys.push(known(reader.bytes(), 'Key'));
        checkCount(keys, LIMITS.lookupKeysMax, 'a lookup has at most %d keys');
        break;
      case 5:
        propertyMask = another(propertyMask, reader);
        break;
      case 10:
        throw unsupported('request_options');
      default:
        throw unknownField('LookupRequest', reader.field);
    }
  }
  return { ...addressed(address), consistency: readReadOptions(whole(readOptions)), keys, ...maskOf(propertyMask) };
}

export function readRunQuery(bytes: Buffer): RunQueryRequest {
  const { parts, mask, ...rest } = readQueryRequest(bytes, { message: 'RunQueryRequest', mask: 10, explain: 12, requestOptions: 13 });
  if (!parts) throw invalid('query or gql_query must be given');
  const source = parts.field === 3 ? ({ kind: 'query', query: readQuery(parts.message, 'query') } as const) : gqlOf(parts);
  return { ...rest, ...mask, source };
}

export function readRunAggregationQuery(bytes: Buffer): QueryRequest<AggregationQuery> {
  const { parts, ...rest } = readQueryRequest(bytes, { message: 'RunAggregationQueryRequest', explain: 11, requestOptions: 12 });
  if (!parts) throw invalid('aggregation_query or gql_query must be given');
  const source = parts.field === 3 ? ({ kind: 'query', query: readAggregationQuery(parts.message) } as const) : gqlOf(parts);
  return { ...rest, source };
}

/** Where the two messages differ. */
interface QueryNumbers {
  readonly message: string;
  readonly mask?: number;
  readonly explain: number;
  readonly requestOptions: number;
}

interface ChosenSource {
  readonly field: number;
  readonly message: Buffer;
}

interface QueryParts extends Omit<QueryRequest<never>, 'source'> {
  /** None when nothing is asked. */
  readonly parts?: ChosenSource;
  readonly mask: Pick<RunQueryRequest, 'mask'>;
}

function readQueryRequest(bytes: Buffer, numbers: QueryNumbers): QueryParts {
  const reader = new ProtoReader(bytes);
  const address = new Address();
  let readOptions: Parts;
  let partition: Parts;
  let chosen = 0;
  let source: Parts;
  let mask: Parts;
  let explain: Parts;
  while (reader.next()) {
    if (address.take(reader)) continue;
    const { field } = reader;
    if (field === 1) readOptions = another(readOptions, reader);
    else if (field === 2) partition = another(partition, reader);
    else if (field === 3 || field === 7) {
      source = another(field === chosen ? source : undefined, reader);
      chosen = field;
    } else if (field === numbers.mask) mask = another(mask, reader);
    else if (field === numbers.explain) explain = another(explain, reader);
    else if (field === numbers.requestOptions) throw unsupported('request_options');
    else throw unknownField(numbers.message, field);
  }
  const message = whole(source);
  if (message && message.length > LIMITS.queryBytesMax)
    throw new PlatformError('DS_LIMIT', `a query has at most ${LIMITS.queryBytesMax} bytes`);
  return {
    ...addressed(address),
    partition: readPartitionId(whole(partition)),
    consistency: readReadOptions(whole(readOptions)),
    explain: readExplainOptions(whole(explain)),
    mask: maskOf(mask),
    ...(message && { parts: { field: chosen, message } }),
  };
}

function gqlOf({ message }: ChosenSource): { readonly kind: 'gql'; readonly gql: GqlQuery } {
  return { kind: 'gql', gql: readGqlQuery(message) };
}

export function readBeginTransaction(bytes: Buffer): Addressed & { readonly options: TransactionOptions } {
  const reader = new ProtoReader(bytes);
  const address = new Address();
  let options: Parts;
  while (reader.next()) {
    if (address.take(reader)) continue;
    if (reader.field === 11) throw unsupported('request_options');
    if (reader.field !== 10) throw unknownField('BeginTransactionRequest', reader.field);
    options = another(options, reader);
  }
  return { ...addressed(address), options: readTransactionOptions(whole(options), 'transaction_options') };
}

export function readRollback(bytes: Buffer): Addressed & { readonly transaction: Buffer } {
  const reader = new ProtoReader(bytes);
  const address = new Address();
  let transaction: Buffer | undefined;
  while (reader.next()) {
    if (address.take(reader)) continue;
    if (reader.field === 10) throw unsupported('request_options');
    if (reader.field !== 1) throw unknownField('RollbackRequest', reader.field);
    transaction = reader.bytes();
  }
  const whose = addressed(address);
  if (!transaction || transaction.length === 0) throw invalid('transaction must be given');
  return { ...whose, transaction };
}

export function readCommit(bytes: Buffer): CommitRequest {
  const reader = new ProtoReader(bytes);
  const address = new Address();
  const mutations: Mutation[] = [];
  let mode: CommitRequest['mode'] = 'transactional';
  let transaction: Buffer | undefined;
  let singleUse: Parts;
  while (reader.next()) {
    if (address.take(reader)) continue;
    switch (reader.field) {
      case 1:
        transaction = reader.bytes();
        singleUse = undefined;
        break;
      case 5:
        mode = enumValue(MODES, reader.small(), 'mode');
        break;
      case 6:
        mutations.push(readMutation(reader.bytes(), `mutations[${mutations.length}]`));
        checkCount(mutations, LIMITS.commitMutationsMax, 'a commit has at most %d mutations');
        break;
      case 10:
        singleUse = another(singleUse, reader);
        transaction = undefined;
        break;
      case 11:
        throw unsupported('request_options');
      default:
        throw unknownField('CommitRequest', reader.field);
    }
  }
  const options = whole(singleUse);
  return {
    ...addressed(address),
    mode,
    mutations,
    ...(transaction && { transaction }),
    ...(options && { singleUse: readTransactionOptions(options, 'single_use_transaction') }),
  };
}

export function readAllocateIds(bytes: Buffer): KeysRequest {
  return readKeys(bytes, 'AllocateIdsRequest');
}

export function readReserveIds(bytes: Buffer): KeysRequest {
  return readKeys(bytes, 'ReserveIdsRequest');
}

function readKeys(bytes: Buffer, message: string): KeysRequest {
  const reader = new ProtoReader(bytes);
  const address = new Address();
  const keys: Buffer[] = [];
  while (reader.next()) {
    if (address.take(reader)) continue;
    if (reader.field === 10) throw unsupported('request_options');
    if (reader.field !== 1) throw unknownField(message, reader.field);
    keys.push(known(reader.bytes(), 'Key'));
    checkCount(keys, LIMITS.allocateIdsMax, 'a call has at most %d keys');
  }
  return { ...addressed(address), keys };
}

function addressed({ projectId, databaseId }: Address): Addressed {
  if (projectId === '') throw invalid('Missing project id.');
  return { projectId, databaseId };
}

function maskOf(parts: Parts): Pick<LookupRequest, 'mask'> {
  const bytes = whole(parts);
  return bytes ? { mask: readPropertyMask(bytes) } : {};
}

function readExplainOptions(bytes: Buffer | undefined): QueryRequest<never>['explain'] {
  if (!bytes) return false;
  const reader = new ProtoReader(bytes);
  let isAnalyzed = false;
  while (reader.next()) {
    if (reader.field !== 1) throw unknownField('ExplainOptions', reader.field);
    isAnalyzed = reader.int64() !== 0n;
  }
  return isAnalyzed || 'plan-only';
}

function checkCount(items: readonly unknown[], max: number, rule: string): void {
  if (items.length > max) throw new PlatformError('DS_LIMIT', rule.replace('%d', String(max)));
}
