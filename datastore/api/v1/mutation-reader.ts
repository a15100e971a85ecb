// Mutation of requests.
import { type WireMutation } from '../../../sdk/contract/datastore-wire.ts';
import { ProtoReader } from '../../../sdk/contract/protobuf.ts';
import { known } from './known-fields.ts';
import { another, invalid, type Parts, unknownField, unsupported, whole } from './request-fields.ts';

const OPERATIONS = { 4: 'insert', 5: 'update', 6: 'upsert' } as const;

/** `path` is where the mutation stands in the request. */
export function readMutation(bytes: Buffer, path: string): WireMutation {
  const reader = new ProtoReader(bytes);
  let chosen = 0;
  let operand: Parts;
  while (reader.next()) {
    const { field } = reader;
    switch (field) {
      case 4:
      case 5:
      case 6:
      case 7:
        operand = another(field === chosen ? operand : undefined, reader);
        chosen = field;
        break;
      case 8:
        throw unsupported(`${path}.base_version`);
      case 9:
        throw unsupported(`${path}.property_mask`);
      case 10:
        throw unsupported(`${path}.conflict_resolution_strategy`);
      case 11:
        throw unsupported(`${path}.update_time`);
      case 12:
        throw unsupported(`${path}.property_transforms`);
      default:
        throw unknownField('Mutation', field);
    }
  }
  const message = whole(operand);
  if (!message) throw invalid('mutation lacks required op');
  if (chosen === 7) return { op: 'delete', key: known(message, 'Key') };
  return { op: OPERATIONS[chosen as 4 | 5 | 6], entity: known(message, 'written Entity') };
}
