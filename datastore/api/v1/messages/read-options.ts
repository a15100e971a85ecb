// ReadOptions and TransactionOptions of requests.
import { ProtoReader } from '../../../../sdk/contract/protobuf.ts';
import { another, enumValue, type Parts, unknownField, whole } from './request-fields.ts';
import { readMicros } from './timestamp.ts';

export type TransactionOptions =
  /** `previous`: the transaction that is tried again. */
  | { readonly kind: 'read-write'; readonly previous?: Buffer }
  /** `readTime` in microseconds: its reads see the state of then. */
  | { readonly kind: 'read-only'; readonly readTime?: bigint };

/** Which state a read sees. */
export type Consistency =
  | { readonly kind: 'newest'; readonly isEventual: boolean }
  | { readonly kind: 'transaction'; readonly id: Buffer }
  | { readonly kind: 'new-transaction'; readonly options: TransactionOptions }
  | { readonly kind: 'read-time'; readonly micros: bigint };

const NEWEST: Consistency = { kind: 'newest', isEventual: false };
/** READ_CONSISTENCY_UNSPECIFIED, STRONG, EVENTUAL. What is strong is also eventual. */
const IS_EVENTUAL: Readonly<Record<number, boolean>> = { 0: false, 1: false, 2: true };

/** Of the options that exclude one another the last counts, as protobuf has it. */
export function readReadOptions(bytes: Buffer | undefined): Consistency {
  if (!bytes) return NEWEST;
  const reader = new ProtoReader(bytes);
  let chosen = 0;
  let isEventual = false;
  let id: Buffer | undefined;
  let parts: Parts;
  while (reader.next()) {
    if (reader.field !== chosen) parts = undefined;
    chosen = reader.field;
    switch (chosen) {
      case 1:
        isEventual = enumValue(IS_EVENTUAL, reader.small(), 'read_options.read_consistency');
        break;
      case 2:
        id = reader.bytes();
        break;
      case 3:
      case 4:
        parts = another(parts, reader);
        break;
      default:
        throw unknownField('ReadOptions', chosen);
    }
  }
  const message = whole(parts);
  if (chosen === 1) return isEventual ? { kind: 'newest', isEventual } : NEWEST;
  if (chosen === 2 && id) return { kind: 'transaction', id };
  if (chosen === 3) return { kind: 'new-transaction', options: readTransactionOptions(message, 'read_options.new_transaction') };
  return message ? { kind: 'read-time', micros: readMicros(message, 'read_options.read_time') } : NEWEST;
}

/** `path` is where the options stand in the request. */
export function readTransactionOptions(bytes: Buffer | undefined, path: string): TransactionOptions {
  if (!bytes) return { kind: 'read-write' };
  const reader = new ProtoReader(bytes);
  let chosen = 0;
  let parts: Parts;
  while (reader.next()) {
    if (reader.field !== 1 && reader.field !== 2) throw unknownField('TransactionOptions', reader.field);
    if (reader.field !== chosen) parts = undefined;
    chosen = reader.field;
    parts = another(parts, reader);
  }
  const message = whole(parts);
  if (chosen === 2 && message) return readReadOnly(message, `${path}.read_only`);
  return message ? readReadWrite(message) : { kind: 'read-write' };
}

function readReadOnly(bytes: Buffer, path: string): TransactionOptions {
  const reader = new ProtoReader(bytes);
  let parts: Parts;
  while (reader.next()) {
    if (reader.field !== 1) throw unknownField('TransactionOptions.ReadOnly', reader.field);
    parts = another(parts, reader);
  }
  const readTime = whole(parts);
  return readTime ? { kind: 'read-only', readTime: readMicros(readTime, `${path}.read_time`) } : { kind: 'read-only' };
}

function readReadWrite(bytes: Buffer): TransactionOptions {
  const reader = new ProtoReader(bytes);
  let previous: Buffer | undefined;
  while (reader.next()) {
    if (reader.field !== 1) throw unknownField('TransactionOptions.ReadWrite', reader.field);
    previous = reader.bytes();
  }
  return previous && previous.length > 0 ? { kind: 'read-write', previous } : { kind: 'read-write' };
}
