// Arguments of a GQL statement as the command line takes them: `--bind author=ann --bind 1=5`.
//
// A value is JSON where it can be: 5 is an integer, 5.0 a double, "5" a string, null, true, [1, 2] an array, and an object is a
// value as the public API writes it, `{"timestampValue": "2024-01-01T00:00:00Z"}`. What is no JSON is a string as it stands.
import { type GqlRequestView, type JsonValue } from '../contract/admin/data.ts';
import { PlatformError } from '../contract/errors.ts';

export type GqlBindings = Pick<GqlRequestView, 'named' | 'positional'>;

/** Throws USAGE for what is no binding, and for positions that leave a gap. */
export function gqlBindings(given: readonly string[]): GqlBindings {
  const named: [string, JsonValue][] = [];
  const positions: [number, JsonValue][] = [];
  for (const binding of given) {
    const [, name, text] = /^[@:]?([^=]+)=(.*)$/s.exec(binding) ?? [];
    if (name === undefined || text === undefined) throw new PlatformError('USAGE', `--bind is "${binding}", want name=value or 1=value`);
    if ([...named, ...positions].some(([known]) => String(known) === name)) throw new PlatformError('USAGE', `--bind gives ${name} twice`);
    if (/^[1-9]\d{0,3}$/.test(name)) positions.push([Number(name), valueOf(text, name)]);
    else named.push([name, valueOf(text, name)]);
  }
  const positional = positions.sort(([one], [other]) => one - other);
  const gap = positional.findIndex(([position], at) => position !== at + 1);
  if (gap !== -1) throw new PlatformError('USAGE', `--bind leaves out ${gap + 1}: positions count from 1 without a gap`);
  return {
    ...(named.length > 0 ? { named: Object.fromEntries(named) } : {}),
    ...(positional.length > 0 ? { positional: positional.map(([, value]) => value) } : {}),
  };
}

function valueOf(text: string, name: string): JsonValue {
  // Before JSON.parse, which would round integers beyond 2^53 and take 5.0 for 5.
  if (/^-?\d+$/.test(text)) return { integerValue: text };
  try {
    return jsonValue(JSON.parse(text), name, /^-?[\d.]+(?:e[+-]?\d+)?$/i.test(text));
  } catch (error) {
    if (error instanceof PlatformError) throw error;
    return { stringValue: text };
  }
}

function jsonValue(json: unknown, name: string, isDouble = false): JsonValue {
  switch (typeof json) {
    case 'string':
      return { stringValue: json };
    case 'boolean':
      return { booleanValue: json };
    case 'number':
      if (isDouble || !Number.isInteger(json)) return { doubleValue: json };
      if (Number.isSafeInteger(json)) return { integerValue: String(json) };
      throw new PlatformError('USAGE', `--bind ${name} has the number ${json}, want {"integerValue": "…"} for one beyond 2^53`);
    default:
      if (json === null) return { nullValue: null };
      if (Array.isArray(json)) return { arrayValue: { values: json.map((one) => jsonValue(one, name)) } };
      // The server says what is wrong with it.
      return json as JsonValue;
  }
}
