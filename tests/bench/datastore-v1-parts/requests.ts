// The requests of the bench as a published client sends them: the bytes of google.datastore.v1's messages.
import { encodeValue } from '../../../sdk/contract/entity-proto.ts';
import { ProtoWriter } from '../../../sdk/contract/protobuf.ts';
import { type Item, KIND, keyOf, SCOPE } from '../datastore-parts/items.ts';

const PROJECT_FIELD = 8;
const NON_TRANSACTIONAL = 2;
const GREATER_THAN_OR_EQUAL = 4;

export function lookupOf({ keyMessage }: Item): Buffer {
  const writer = new ProtoWriter();
  writer.bytesField(3, keyMessage);
  writer.stringField(PROJECT_FIELD, SCOPE.appId);
  return writer.finish();
}

/** An upsert, not in a transaction. */
export function commitOf({ mutation }: Item): Buffer {
  if (mutation.op === 'delete') throw new Error('items are written');
  const writer = new ProtoWriter();
  writer.smallField(5, NON_TRANSACTIONAL);
  writer.messageField(6, () => {
    writer.bytesField(6, mutation.entity);
  });
  writer.stringField(PROJECT_FIELD, SCOPE.appId);
  return writer.finish();
}

/** The `limit` items that follow one of that id, in the order of their keys. */
export function queryFrom(id: number, limit: number): Buffer {
  const key = encodeValue({ kind: 'key', value: keyOf(id) });
  const writer = new ProtoWriter();
  writer.messageField(2, () => {
    writer.stringField(2, SCOPE.appId);
  });
  writer.messageField(3, () => {
    writer.messageField(3, () => {
      writer.stringField(1, KIND);
    });
    writer.messageField(4, () => {
      writer.messageField(2, () => {
        writer.messageField(1, () => {
          writer.stringField(2, '__key__');
        });
        writer.smallField(2, GREATER_THAN_OR_EQUAL);
        writer.bytesField(3, key);
      });
    });
    writer.messageField(12, () => {
      writer.smallField(1, limit);
    });
  });
  writer.stringField(PROJECT_FIELD, SCOPE.appId);
  return writer.finish();
}
