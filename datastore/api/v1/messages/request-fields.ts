// What the readers of request messages share: how a field is refused, and how one that is given in parts is put together.
// Strict, because a field that is passed over is a wish that is silently not granted: each field of a request is honoured, or
// refused by its name. Read next: requests.ts.
import { PlatformError } from '../../../../sdk/contract/errors.ts';
import { type ProtoReader } from '../../../../sdk/contract/protobuf.ts';

/** `text` says what, and names the field by its path, dotted from the request. */
export function invalid(text: string): PlatformError {
  return new PlatformError('DS_INVALID', text);
}

export function unsupported(path: string): PlatformError {
  return invalid(`${path} is not supported`);
}

export function unknownField(message: string, field: number): PlatformError {
  return invalid(`${message} has no field ${field}`);
}

/** The occurrences of a message field: protobuf's rule is that they are merged, which putting their bytes together does. */
export type Parts = Buffer | Buffer[] | undefined;

/** `parts` and the occurrence that `reader` is at. */
export function another(parts: Parts, reader: ProtoReader): Parts {
  const bytes = reader.bytes();
  if (parts === undefined) return bytes;
  if (!Array.isArray(parts)) return [parts, bytes];
  parts.push(bytes);
  return parts;
}

export function whole(parts: Parts): Buffer | undefined {
  return Array.isArray(parts) ? Buffer.concat(parts) : parts;
}

/** What `number` stands for. Throws DS_INVALID for one that the enum does not define. */
export function enumValue<T>(values: Readonly<Record<number, T>>, number: number, path: string): T {
  const value = values[number];
  if (value === undefined) throw invalid(`${path} has no value ${number}`);
  return value;
}
