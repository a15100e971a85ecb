// What a query says that no index answers.
import { PlatformError } from '../../sdk/contract/errors.ts';
import { type IndexDefinition, indexYamlLines } from '../../sdk/contract/index-definition.ts';

export class NeedIndexError extends PlatformError {
  /** What would answer it; none when that is there but not ready. */
  readonly definitions: readonly IndexDefinition[];

  /** DS_NEED_INDEX, in App Engine's words unless `reason` gives others; `details.indexYaml` has the lines of index.yaml. */
  constructor(definitions: readonly IndexDefinition[], reason?: string) {
    const indexYaml = [...new Set(definitions.map(indexYamlLines))].join('\n');
    super('DS_NEED_INDEX', reason, reason === undefined ? { details: { indexYaml } } : {});
    this.definitions = definitions;
    if (reason === undefined) this.message += `. recommended index is:\n${indexYaml}\n`;
  }
}
