// Which kinds and namespaces there are: one seek for each, from its first row over all its others, never a scan of them.
import { kindPrefix, namespacesPrefix, type Partition, readKindRowKey } from '../codec/row-key.ts';
import { OrderedWriter } from '../codec/ordered-writer.ts';
import { keyAfterPrefix, prefixRange } from '../storage/key-bytes.ts';
import { type StoreReader } from '../storage/port.ts';
import { type Meter } from './hit-source.ts';

/** Kinds with at least one entity, in the order of their bytes; the first `countMax`. */
export async function listKinds(reader: StoreReader, partition: Partition, countMax: number, meter: Meter): Promise<readonly string[]> {
  const kinds: string[] = [];
  const kindOf = (key: Buffer): string => readKindRowKey(key).kind;
  for await (const kind of distinct(reader, partition.kinds, kindOf, (found) => kindPrefix(partition, found), meter)) {
    kinds.push(kind);
    if (kinds.length >= countMax) break;
  }
  return kinds;
}

/** Namespaces with at least one entity, in the order of their bytes; the first `countMax`. The default one is ''. */
export async function listNamespaces(
  reader: StoreReader,
  appId: string,
  databaseId: string,
  countMax: number,
  meter: Meter,
): Promise<readonly string[]> {
  const namespaces: string[] = [];
  const prefix = namespacesPrefix(appId, databaseId);
  const namespaceOf = (key: Buffer): string => readKindRowKey(key).partition.namespace;
  for await (const namespace of distinct(
    reader,
    prefix,
    namespaceOf,
    (found) => new OrderedWriter().raw(prefix).text(found).take(),
    meter,
  )) {
    namespaces.push(namespace);
    if (namespaces.length >= countMax) break;
  }
  return namespaces;
}

/** The different values of `valueOf` over the rows below `prefix`; `prefixOf` is where all rows of one value lie. */
async function* distinct(
  reader: StoreReader,
  prefix: Buffer,
  valueOf: (key: Buffer) => string,
  prefixOf: (value: string) => Buffer,
  meter: Meter,
): AsyncGenerator<string> {
  let range = prefixRange(prefix);
  for (;;) {
    const scan = reader.scan(range, { limit: 1, keysOnly: true });
    const [row] = await scan.next(1).finally(() => scan.close());
    if (!row) return;
    meter.indexRows++;
    const value = valueOf(row.key);
    yield value;
    const from = keyAfterPrefix(prefixOf(value));
    if (!from || Buffer.compare(from, range.to) >= 0) return;
    range = { from, to: range.to };
  }
}
