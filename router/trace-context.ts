// Which trace a request belongs to: the client's, when it says so in a form that can be read, else one of its own. Apps
// are told in both forms: W3C's `traceparent`, and App Engine's older `X-Cloud-Trace-Context`. Pure.

export interface TraceContext {
  /** 32 lower-case hexadecimal digits. */
  readonly traceId: string;
  /** Values of the two headers. */
  readonly traceparent: string;
  readonly cloudTraceContext: string;
  /** Whether the client's `tracestate` belongs to it; without a valid `traceparent` it means nothing. */
  readonly keepsState: boolean;
}

const TRACEPARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const CLOUD = /^([0-9a-f]{32})(?:\/(\d{1,20}))?(?:;o=([0-3]))?$/i;
const ZEROS = /^0+$/;
const SPAN_MAX = 2n ** 64n - 1n;
/** The router's own span of a trace that begins here. */
const FIRST_SPAN = '0000000000000001';

/** The client's trace; undefined: it has none, or none that can be read. `traceparent` overrules. */
export function clientTrace(traceparent: string | undefined, cloud: string | undefined): TraceContext | undefined {
  if (traceparent === undefined && cloud === undefined) return undefined;
  return fromTraceparent(traceparent) ?? fromCloud(cloud);
}

/** The trace that begins with a request; its id is the request's. */
export function ownTraceparent(requestId: string): string {
  return `00-${requestId}-${FIRST_SPAN}-01`;
}

export function ownCloudTraceContext(requestId: string): string {
  return `${requestId}/1;o=1`;
}

function fromTraceparent(text: string | undefined): TraceContext | undefined {
  const [, version = '', traceId = '', span = '', flags = '', rest] = TRACEPARENT.exec(text ?? '') ?? [];
  // Later versions may go on after the flags; what stands before has to be read all the same (W3C).
  if (traceId === '' || version === 'ff' || (version === '00' && rest !== undefined)) return undefined;
  if (ZEROS.test(traceId) || ZEROS.test(span)) return undefined;
  const sampled = Number.parseInt(flags, 16) & 1;
  return {
    traceId,
    traceparent: `00-${traceId}-${span}-0${sampled}`,
    cloudTraceContext: `${traceId}/${BigInt(`0x${span}`)};o=${sampled}`,
    keepsState: true,
  };
}

function fromCloud(text: string | undefined): TraceContext | undefined {
  const [, id = '', decimal = '0', options = '1'] = CLOUD.exec(text ?? '') ?? [];
  const span = BigInt(decimal);
  if (id === '' || ZEROS.test(id) || span > SPAN_MAX) return undefined;
  const traceId = id.toLowerCase();
  const hexadecimal = span === 0n ? FIRST_SPAN : span.toString(16).padStart(16, '0');
  const sampled = Number(options) & 1;
  return {
    traceId,
    traceparent: `00-${traceId}-${hexadecimal}-0${sampled}`,
    cloudTraceContext: `${traceId}/${span === 0n ? 1n : span};o=${options}`,
    keepsState: false,
  };
}
