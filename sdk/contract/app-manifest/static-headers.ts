// Rules for `http_headers` of static handlers. Source: App Engine's own validator of app.yaml.

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}$/;
const PRINTABLE = /^[\x20-\x7e]*$/;

const REFUSED = new Set([
  // Set by the router for every static response, or hop by hop.
  ...['connection', 'content-encoding', 'content-length', 'date', 'server', 'keep-alive', 'proxy-authenticate', 'proxy-connection'],
  ...['te', 'trailer', 'transfer-encoding', 'upgrade'],
  // Request headers have no meaning in a response.
  ...['accept', 'accept-charset', 'accept-encoding', 'accept-language', 'authorization', 'cookie', 'expect', 'from', 'host'],
  ...['if-match', 'if-modified-since', 'if-none-match', 'if-range', 'if-unmodified-since', 'max-forwards', 'proxy-authorization'],
  ...['range', 'referer', 'user-agent'],
]);

const BYTES_MAX = new Map([
  ['set-cookie', 4_096],
  ['location', 2_047],
  ['content-security-policy', 10_240],
  ['content-security-policy-report-only', 10_240],
  ['x-content-security-policy', 10_240],
  ['x-webkit-csp', 10_240],
]);
const BYTES_MAX_DEFAULT = 500;

/** Why a handler may not send this header, completing "must not …"; undefined when it may. */
export function staticHeaderProblem(name: string, value: string): string | undefined {
  const lower = name.toLowerCase();
  if (!TOKEN.test(name)) return 'have a name with anything but letters, digits and hyphens';
  if (lower.startsWith('x-appengine')) return "begin with X-Appengine, which is the platform's own";
  if (REFUSED.has(lower)) return 'be set by a handler';
  if (!PRINTABLE.test(value)) return 'have a value with anything but printable ASCII characters';
  const bytesMax = BYTES_MAX.get(lower) ?? BYTES_MAX_DEFAULT;
  return name.length + value.length > bytesMax ? `be longer than ${bytesMax} bytes, name and value together` : undefined;
}
