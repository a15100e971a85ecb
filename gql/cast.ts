// The functions of the Python dialect, over values that are already bound. Source: the SDK's google.appengine.ext.gql.
import { type Value } from '../sdk/contract/entity.ts';
import { type Key, type PathElement } from '../sdk/contract/key.ts';
import { assertNever } from '../sdk/support/assert.ts';
import { type CastName } from './ast.ts';
import { type CalendarTime, microsOf } from './calendar.ts';
import { decodeKey } from './encoded-key.ts';

export interface CastProblem {
  readonly kind: 'problem';
  readonly reason: string;
}

const problem = (reason: string): CastProblem => ({ kind: 'problem', reason });

/** Where keys without a place of their own live. */
export type KeyHome = Pick<Key, 'projectId' | 'databaseId' | 'namespace'>;

export function castValues(name: CastName, values: readonly Value[], home: KeyHome): Value | CastProblem {
  switch (name) {
    case 'DATE':
      return castDate(values);
    case 'DATETIME':
      return castDatetime(values);
    case 'TIME':
      return castTime(values);
    case 'GEOPT':
      return castGeoPoint(values);
    case 'USER':
      return castUser(values);
    case 'KEY':
      return castKey(values, home);
    default:
      return assertNever(name);
  }
}

function castDate(values: readonly Value[]): Value | CastProblem {
  const text = onlyString(values);
  const numbers = text === undefined ? integers(values) : numbersIn(/^(\d{4})-(\d{1,2})-(\d{1,2})$/, text);
  const [year, month, day, ...more] = numbers ?? [];
  if (year === undefined || month === undefined || day === undefined || more.length > 0)
    return problem('takes YYYY-MM-DD or three integers');
  return timestamp({ year, month, day });
}

function castDatetime(values: readonly Value[]): Value | CastProblem {
  const text = onlyString(values);
  const pattern = /^(\d{4})-(\d{1,2})-(\d{1,2}) (\d{1,2}):(\d{1,2}):(\d{1,2})$/;
  const numbers = text === undefined ? integers(values) : numbersIn(pattern, text);
  const [year, month, day, hour = 0, minute = 0, second = 0, micros = 0, ...more] = numbers ?? [];
  if (year === undefined || month === undefined || day === undefined || more.length > 0) {
    return problem('takes YYYY-MM-DD HH:MM:SS or three to seven integers');
  }
  return timestamp({ year, month, day, hour, minute, second, micros });
}

function castTime(values: readonly Value[]): Value | CastProblem {
  const text = onlyString(values);
  const numbers = text === undefined ? integers(values) : numbersIn(/^(\d{1,2}):(\d{1,2}):(\d{1,2})$/, text);
  const [hour, minute = 0, second = 0, micros = 0, ...more] = numbers ?? [];
  if (hour === undefined || more.length > 0) return problem('takes HH:MM:SS or one to four integers');
  return timestamp({ year: 1970, month: 1, day: 1, hour, minute, second, micros });
}

function timestamp(time: CalendarTime): Value | CastProblem {
  const micros = microsOf(time);
  return micros === undefined ? problem('there is no such date or time') : { kind: 'timestamp', micros };
}

function castGeoPoint(values: readonly Value[]): Value | CastProblem {
  const text = onlyString(values);
  const [latitude, longitude, ...more] = text === undefined ? values.map(numberOf) : pair(text);
  if (latitude === undefined || longitude === undefined || more.length > 0) return problem('takes a latitude and a longitude');
  if (!(Math.abs(latitude) <= 90)) return problem('a latitude lies between -90 and 90');
  if (!(Math.abs(longitude) <= 180)) return problem('a longitude lies between -180 and 180');
  return { kind: 'geoPoint', latitude, longitude };
}

/** `52.5,13.4`, as the SDK prints a GeoPt. */
function pair(text: string): readonly number[] {
  const match = /^\s*(-?\d+(?:\.\d+)?)\s*,\s*(-?\d+(?:\.\d+)?)\s*$/.exec(text);
  return match === null ? [] : [Number(match[1]), Number(match[2])];
}

const PREDEFINED_USER_MEANING = 20;

function castUser(values: readonly Value[]): Value | CastProblem {
  const email = onlyString(values);
  if (email === undefined || email === '') return problem('takes one e-mail address');
  const properties = { email: unindexed(email), auth_domain: unindexed('gmail.com') };
  return { kind: 'entity', value: { properties }, meaning: PREDEFINED_USER_MEANING };
}

const unindexed = (value: string): Value => ({ kind: 'string', value, excludeFromIndexes: true });

function castKey(values: readonly Value[], home: KeyHome): Value | CastProblem {
  const encoded = onlyString(values);
  if (encoded !== undefined) {
    const key = decodeKey(encoded);
    return key === undefined ? problem('this is no encoded key') : { kind: 'key', value: key };
  }
  if (values.length === 0 || values.length % 2 !== 0) return problem('takes an encoded key, or kinds and ids in turn');
  const path: PathElement[] = [];
  for (let index = 0; index < values.length; index += 2) {
    const element = pathElement(values[index], values[index + 1]);
    if (element === undefined) return problem('a kind is text, and an id an integer above 0 or text');
    path.push(element);
  }
  return { kind: 'key', value: { projectId: home.projectId, databaseId: home.databaseId, namespace: home.namespace, path } };
}

function pathElement(kind: Value | undefined, id: Value | undefined): PathElement | undefined {
  if (kind?.kind !== 'string' || kind.value === '') return undefined;
  if (id?.kind === 'integer' && id.value > 0n) return { kind: kind.value, id: id.value };
  if (id?.kind === 'string' && id.value !== '') return { kind: kind.value, name: id.value };
  return undefined;
}

function onlyString(values: readonly Value[]): string | undefined {
  const [only] = values;
  return values.length === 1 && only?.kind === 'string' ? only.value : undefined;
}

function integers(values: readonly Value[]): readonly number[] | undefined {
  const numbers: number[] = [];
  for (const value of values) {
    if (value.kind !== 'integer') return undefined;
    numbers.push(Number(value.value));
  }
  return numbers;
}

function numbersIn(pattern: RegExp, text: string): readonly number[] | undefined {
  return pattern.exec(text)?.slice(1).map(Number);
}

function numberOf(value: Value): number | undefined {
  if (value.kind === 'double') return value.value;
  return value.kind === 'integer' ? Number(value.value) : undefined;
}
