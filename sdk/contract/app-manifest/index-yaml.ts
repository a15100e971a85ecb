// index.yaml's text → composite indexes. Elements: App Engine's index.yaml reference.
import { z } from 'zod';
import { type IndexDefinition } from '../index-definition.ts';
import { LIMITS } from '../limits.ts';
import { field, oneOf, yesOrNo } from './manifest-fields.ts';
import { checkAgainst, type KnownNames } from './schema-check.ts';
import { YamlSource } from './yaml-source.ts';

/** The file's name in an app's directory. */
export const INDEX_YAML = 'index.yaml';

const name = (wanted: string): z.ZodType<string, string> =>
  field(wanted, (value) => (value !== '' && Buffer.byteLength(value) <= LIMITS.keyNameBytesMax ? value : undefined));

const direction = oneOf(['asc', 'desc', 'ascending', 'descending']);

const property = z.strictObject(
  { name: name('the name of a property'), direction: direction.optional() },
  { error: 'must be a property, beginning with "name:"' },
);

const index = z.strictObject(
  {
    kind: name('the name of a kind'),
    ancestor: yesOrNo.optional(),
    properties: z
      .array(property, { error: 'must be a list of properties ("- name: …")' })
      .min(1, { error: 'must name at least one property' })
      .max(LIMITS.compositePropertiesMax, { error: `must name at most ${LIMITS.compositePropertiesMax} properties` }),
  },
  { error: 'must be an index, beginning with "kind:"' },
);

const indexYamlSchema = z.strictObject(
  {
    indexes: z
      .array(index, { error: 'must be a list of indexes ("- kind: …")' })
      .max(LIMITS.compositeIndexesMax, { error: `must have at most ${LIMITS.compositeIndexesMax} indexes` })
      .nullable()
      .optional(),
  },
  { error: 'must be a mapping with the element "indexes"' },
);

const REFUSED = { mode: 'is not supported in this release: there is no geospatial search' } as const;

const NAMES: KnownNames = {
  known: (path) => {
    if (path.includes('properties')) return Object.keys(property.shape);
    return path[0] === 'indexes' ? Object.keys(index.shape) : ['indexes'];
  },
  refusal: (path, key) => (path.includes('properties') && key === 'mode' ? REFUSED.mode : undefined),
};

/** The indexes that the file declares, each once, in its order. An empty file declares none. Throws MANIFEST_INVALID. */
export function parseIndexManifest(text: string, fileName: string): IndexDefinition[] {
  const source = new YamlSource(text, fileName);
  if (source.data === null) return [];
  const definitions = new Map<string, IndexDefinition>();
  for (const { kind, ancestor, properties } of checkAgainst(indexYamlSchema, source, NAMES).indexes ?? []) {
    const definition: IndexDefinition = {
      kind,
      ancestor: ancestor ?? false,
      properties: properties.map((each) => ({ name: each.name, direction: each.direction?.startsWith('desc') ? 'desc' : 'asc' })),
    };
    definitions.set(JSON.stringify(definition), definition);
  }
  return [...definitions.values()];
}
