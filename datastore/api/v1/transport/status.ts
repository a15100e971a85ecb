// Errors as the public API says them: a canonical code and a text. The one place that turns a PlatformError into it.
import { type ErrorCode, type GrpcCode, type PlatformError } from '../../../../sdk/contract/errors.ts';
import { ProtoWriter } from '../../../../sdk/contract/protobuf.ts';
import { statusText } from './status-text.ts';

/** Numbers of google.rpc.Code, and the HTTP status that the API gives each (reference, section 1.4). */
const CODES: Readonly<Record<GrpcCode, { readonly number: number; readonly httpStatus: number }>> = {
  CANCELLED: { number: 1, httpStatus: 499 },
  INVALID_ARGUMENT: { number: 3, httpStatus: 400 },
  DEADLINE_EXCEEDED: { number: 4, httpStatus: 504 },
  NOT_FOUND: { number: 5, httpStatus: 404 },
  ALREADY_EXISTS: { number: 6, httpStatus: 409 },
  PERMISSION_DENIED: { number: 7, httpStatus: 403 },
  RESOURCE_EXHAUSTED: { number: 8, httpStatus: 429 },
  FAILED_PRECONDITION: { number: 9, httpStatus: 400 },
  ABORTED: { number: 10, httpStatus: 409 },
  UNIMPLEMENTED: { number: 12, httpStatus: 501 },
  INTERNAL: { number: 13, httpStatus: 500 },
  UNAVAILABLE: { number: 14, httpStatus: 503 },
  UNAUTHENTICATED: { number: 16, httpStatus: 401 },
};

/** What is wrong with a request as HTTP has it: their own status says more than that of their canonical code. */
const OF_HTTP: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'ROUTE_HEADERS_TOO_LARGE',
  'ROUTE_METHOD_NOT_ALLOWED',
  'ROUTE_REQUEST_TIMEOUT',
  'V1_MEDIA_TYPE',
  'V1_REQUEST_TOO_LARGE',
]);

export interface V1Status {
  readonly name: GrpcCode;
  /** Of google.rpc.Code. */
  readonly code: number;
  readonly httpStatus: number;
  readonly message: string;
}

/** What a client is told. Of a failure of ours it is told no more than that. */
export function statusOf(error: PlatformError): V1Status {
  const { grpc, httpStatus } = error.row;
  const { number: code, httpStatus: canonical } = CODES[grpc];
  return {
    name: grpc,
    code,
    httpStatus: OF_HTTP.has(error.code) ? httpStatus : canonical,
    message: statusText(error).toWellFormed(),
  };
}

/** A serialized google.rpc.Status: code 1, message 2. */
export function statusBytes({ code, message }: V1Status): Buffer {
  const writer = new ProtoWriter();
  writer.smallField(1, code);
  writer.stringField(2, message);
  return writer.finish();
}
