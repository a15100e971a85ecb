// Mutation of requests.
// Must not look into entities beyond their form: the commit decodes them.
import { PlatformError } from '../../../../sdk/contract/errors.ts';
import { LIMITS } from '../../../../sdk/contract/limits.ts';
import { ProtoReader } from '../../../../sdk/contract/protobuf.ts';
import { type Mutation, type PropertyTransform } from '../../../transaction/mutation.ts';
import { known } from './known-fields.ts';
import { readPropertyMask } from './mask-reader.ts';
import { another, enumValue, invalid, type Parts, unknownField, whole } from './request-fields.ts';
import { readMicros } from './timestamp.ts';
import { readTransform } from './transform-reader.ts';

const WRITES: Readonly<Record<number, 'insert' | 'update' | 'upsert'>> = { 4: 'insert', 5: 'update', 6: 'upsert' };
/** STRATEGY_UNSPECIFIED, SERVER_VALUE (what is stored stays), FAIL. */
const STRATEGIES: Readonly<Record<number, 'none' | 'skip' | 'fail'>> = { 0: 'none', 1: 'skip', 3: 'fail' };

type Conflicts = Pick<Mutation, 'baseVersion' | 'updateTime' | 'onConflict'>;

/** `path` is where the mutation stands in the request. */
export function readMutation(bytes: Buffer, path: string): Mutation {
  const reader = new ProtoReader(bytes);
  const transforms: PropertyTransform[] = [];
  let chosen = 0;
  let operand: Parts;
  let baseVersion: bigint | undefined;
  let updateTime: Parts;
  let mask: Parts;
  let strategy: 'none' | 'skip' | 'fail' = 'none';
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
        baseVersion = reader.int64();
        updateTime = undefined;
        break;
      case 9:
        mask = another(mask, reader);
        break;
      case 10:
        strategy = enumValue(STRATEGIES, reader.small(), `${path}.conflict_resolution_strategy`);
        break;
      case 11:
        updateTime = another(updateTime, reader);
        baseVersion = undefined;
        break;
      case 12:
        transforms.push(readTransform(reader.bytes(), `${path}.property_transforms[${transforms.length}]`));
        if (transforms.length > LIMITS.transformsMax) {
          throw new PlatformError('DS_LIMIT', `an entity has at most ${LIMITS.transformsMax} property transforms in a commit`);
        }
        break;
      default:
        throw unknownField('Mutation', field);
    }
  }
  const message = whole(operand);
  if (!message) throw invalid('mutation lacks required op');
  const conflicts = conflictsOf(baseVersion, whole(updateTime), strategy, path);
  const op = WRITES[chosen];
  if (op) {
    const paths = whole(mask);
    return {
      ...{ op, entity: known(message, 'written Entity'), ...conflicts },
      ...(paths && { mask: readPropertyMask(paths) }),
      ...(transforms.length > 0 && { transforms }),
    };
  }
  if (transforms.length > 0) throw invalid(`${path}.property_transforms is not for a delete`);
  return { op: 'delete', key: known(message, 'Key'), ...conflicts };
}

function conflictsOf(
  baseVersion: bigint | undefined,
  updateTime: Buffer | undefined,
  strategy: 'none' | 'skip' | 'fail',
  path: string,
): Conflicts {
  if (baseVersion === undefined && !updateTime) {
    if (strategy === 'none') return {};
    throw invalid(`${path}.conflict_resolution_strategy needs a base_version or an update_time`);
  }
  const onConflict = strategy === 'fail' ? 'fail' : 'skip';
  if (updateTime) return { updateTime: readMicros(updateTime, `${path}.update_time`), onConflict };
  return baseVersion === undefined ? {} : { baseVersion, onConflict };
}
