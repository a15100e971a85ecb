// Which types of values an indexed property has: one seek for each type that there is.
import { tagBehindType, typeAt } from '../codec/value-code.ts';
import { keyAfterPrefix } from '../storage/key-bytes.ts';
import { type Reading } from './hit-source.ts';

/** In the names of App Engine's `property_representation` and the order of values. `prefix` is where the property's rows lie. */
export async function typesOf({ reader, meter, onRead }: Reading, prefix: Buffer): Promise<readonly string[]> {
  const to = keyAfterPrefix(prefix) ?? Buffer.alloc(0);
  const types: string[] = [];
  for (let from = prefix; Buffer.compare(from, to) < 0;) {
    const scan = reader.scan({ from, to }, { limit: 1, keysOnly: true });
    const [row] = await scan.next(1).finally(() => scan.close());
    if (!row) break;
    meter.indexRows++;
    onRead(row.key, 1);
    const tag = row.key[prefix.length] ?? 0;
    const type = typeAt(tag);
    if (!types.includes(type)) types.push(type);
    from = Buffer.concat([prefix, Buffer.from([tagBehindType(tag)])]);
  }
  return types;
}
