// google.protobuf.Timestamp as microseconds since 1970, the datastore's unit.
import { ProtoReader, type ProtoWriter } from '../../../../sdk/contract/protobuf.ts';
import { invalid, unknownField } from './request-fields.ts';

const MICROS_PER_SECOND = 1_000_000;
const NANOS_PER_MICRO = 1_000;
const NANOS_PER_SECOND = 1_000_000_000;
/** 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z, what the message can carry. */
const SECONDS_MIN = -62_135_596_800n;
const SECONDS_MAX = 253_402_300_799n;

/** Throws DS_INVALID for what is no timestamp, and for one finer than a microsecond: cut, it would name another state. */
export function readMicros(bytes: Buffer, path: string): bigint {
  const reader = new ProtoReader(bytes);
  let seconds = 0n;
  let nanos = 0;
  while (reader.next()) {
    if (reader.field === 1) seconds = reader.int64();
    else if (reader.field === 2) nanos = reader.small();
    else throw unknownField('Timestamp', reader.field);
  }
  if (seconds < SECONDS_MIN || seconds > SECONDS_MAX || nanos < 0 || nanos >= NANOS_PER_SECOND) throw invalid(`${path} is no timestamp`);
  if (nanos % NANOS_PER_MICRO !== 0) throw invalid(`${path} is finer than a microsecond`);
  return seconds * BigInt(MICROS_PER_SECOND) + BigInt(nanos / NANOS_PER_MICRO);
}

/** `micros` is of a commit or a read: after 1970, and a double has it exactly. */
export function writeMicros(writer: ProtoWriter, field: number, micros: bigint): void {
  const total = Number(micros);
  const seconds = Math.floor(total / MICROS_PER_SECOND);
  const nanos = (total - seconds * MICROS_PER_SECOND) * NANOS_PER_MICRO;
  writer.messageField(field, () => {
    writer.smallField(1, seconds);
    if (nanos !== 0) writer.smallField(2, nanos);
  });
}
