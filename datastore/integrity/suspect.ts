// A row that looks wrong, before it has been looked at a second time.
import { type FindingProblem } from '../../sdk/contract/admin/integrity.ts';

export interface Suspect {
  readonly problem: FindingProblem;
  /** The row that was looked at. */
  readonly key: Buffer;
  readonly detail: string;
}

export function reasonOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
