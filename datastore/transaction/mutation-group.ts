// The rules of mutations of one entity within one commit. Pure functions of what was sent.
import { PlatformError } from '../../sdk/contract/errors.ts';
import { describeKey } from '../../sdk/contract/key.ts';
import { LIMITS } from '../../sdk/contract/limits.ts';
import { type CheckedMutation } from './checked-mutation.ts';

/** What cannot come directly after which operation, since it could never succeed, or means something else than it says. */
const FORBIDDEN_AFTER: Readonly<Record<CheckedMutation['op'], CheckedMutation['op']>> = {
  insert: 'insert',
  update: 'insert',
  upsert: 'insert',
  delete: 'update',
};

/** `group`: all mutations of one entity, in their order. Throws DS_INVALID or DS_LIMIT. */
export function checkGroup(group: readonly CheckedMutation[], isAtomic: boolean): void {
  if (!isAtomic && group.length > 1) {
    throw new PlatformError('DS_INVALID', 'A non-transactional commit may not contain multiple mutations affecting the same entity.');
  }
  let former: CheckedMutation | undefined;
  let base: bigint | undefined;
  let transforms = 0;
  for (const mutation of group) {
    if (former && FORBIDDEN_AFTER[former.op] === mutation.op) {
      const entity = describeKey(mutation.key);
      throw new PlatformError('DS_INVALID', `a commit cannot ${mutation.op} an entity directly after its ${former.op}: ${entity}`);
    }
    former = mutation;
    if (mutation.baseVersion !== undefined && base !== undefined && mutation.baseVersion !== base) {
      throw new PlatformError('DS_INVALID', 'Mutations for the same entity must have the same base version.');
    }
    base ??= mutation.baseVersion;
    transforms += mutation.writing?.kind === 'edit' ? mutation.writing.edit.transforms.length : 0;
  }
  if (transforms > LIMITS.transformsMax) {
    throw new PlatformError('DS_LIMIT', `a commit has at most ${LIMITS.transformsMax} transforms of one entity, this one ${transforms}`);
  }
}
