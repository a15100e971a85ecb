// Values of the datastore in one short line, for tables.
import { type JsonValue } from '../../../sdk/contract/admin/data.ts';
import { keyText } from './key-text.ts';
import { bytesText } from './number-text.ts';

const TEXT_MAX = 80;
const ITEMS_MAX = 3;

const cut = (text: string): string => (text.length > TEXT_MAX ? `${text.slice(0, TEXT_MAX - 1)}…` : text);

export function valueText(value: JsonValue): string {
  if (value.stringValue !== undefined) return cut(value.stringValue);
  if (value.integerValue !== undefined) return value.integerValue;
  if (value.doubleValue !== undefined) return Number.isInteger(value.doubleValue) ? `${value.doubleValue}.0` : String(value.doubleValue);
  if (value.booleanValue !== undefined) return String(value.booleanValue);
  if (value.timestampValue !== undefined) return value.timestampValue;
  if (value.keyValue !== undefined) return keyText(value.keyValue);
  if (value.geoPointValue !== undefined) return `${value.geoPointValue.latitude}, ${value.geoPointValue.longitude}`;
  if (value.blobValue !== undefined) return `${bytesText(Math.floor((value.blobValue.replace(/=+$/, '').length * 3) / 4))} of bytes`;
  if (value.arrayValue !== undefined) {
    const { values } = value.arrayValue;
    const shown = values.slice(0, ITEMS_MAX).map(valueText).join(', ');
    return cut(`[${shown}${values.length > ITEMS_MAX ? `, … ${values.length} in all` : ''}]`);
  }
  if (value.entityValue !== undefined)
    return cut(
      `{ ${Object.entries(value.entityValue.properties)
        .map(([name, each]) => `${name}: ${valueText(each)}`)
        .join(', ')} }`,
    );
  return 'null';
}
