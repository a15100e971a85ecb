// A composite index as index.yaml declares it.

export interface IndexProperty {
  readonly name: string;
  readonly direction: 'asc' | 'desc';
}

export interface IndexDefinition {
  readonly kind: string;
  /** Whether the index also orders by each ancestor. */
  readonly ancestor: boolean;
  /** 1 … compositePropertiesMax. */
  readonly properties: readonly IndexProperty[];
}

/** Only a serving one answers queries. A deleting one is gone once its rows are. */
export const INDEX_STATES = ['building', 'serving', 'error', 'deleting'] as const;

export type IndexState = (typeof INDEX_STATES)[number];

/** The lines of index.yaml that declare `index`, as an error shows them. */
export function indexYamlLines(index: IndexDefinition): string {
  const lines = [`- kind: ${yamlName(index.kind)}`];
  if (index.ancestor) lines.push('  ancestor: yes');
  lines.push('  properties:');
  for (const property of index.properties) {
    lines.push(`  - name: ${yamlName(property.name)}`);
    if (property.direction === 'desc') lines.push('    direction: desc');
  }
  return lines.join('\n');
}

/** Words that some YAML reader takes for a boolean, null or a number. */
const NOT_TEXT = /^(yes|no|on|off|true|false|null|nan|inf)$/i;

function yamlName(name: string): string {
  return /^[\p{L}_][\p{L}\p{N}_.$-]*$/u.test(name) && !NOT_TEXT.test(name) ? name : JSON.stringify(name);
}
