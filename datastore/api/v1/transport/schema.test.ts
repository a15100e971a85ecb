import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createFileRegistry, fromBinary, ScalarType, type DescField } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import protobuf from 'protobufjs';
import { describe, expect, it } from 'vitest';
import { SCHEMA } from './schema.generated.ts';
import { PUBLISHED } from '../messages/v1-fixture.ts';

const FOLDER = import.meta.dirname;

describe('the schema of the messages', () => {
  it('is what the installed package compiles to', () => {
    const script = `import { compiledSchema } from ${JSON.stringify(join(FOLDER, 'compile-schema.mjs'))}; process.stdout.write(compiledSchema());`;
    const compiled = execFileSync(process.execPath, ['--input-type=module', '--eval', script], { encoding: 'utf8' });
    expect(readFileSync(join(FOLDER, 'schema.generated.ts'), 'utf8'), 'run node datastore/api/v1/transport/compile-schema.mjs').toBe(
      compiled,
    );
  });

  it("has every message and field of the package's own descriptors", () => {
    const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, Buffer.from(SCHEMA, 'base64')));
    const types = messagesIn(PUBLISHED.lookup('google.datastore.v1') as protobuf.Namespace);
    expect(types.length).toBeGreaterThan(50);
    for (const type of types) {
      const message = registry.getMessage(type.fullName.slice(1));
      const found = (message?.fields ?? []).map((field) => `${field.number} ${field.jsonName}: ${shapeOf(field)}`);
      const want = type.fieldsArray.map((field) => `${field.id} ${field.name}: ${shapeOfPublished(field)}`);
      expect({ [type.fullName]: found.sort() }).toEqual({ [type.fullName]: want.sort() });
    }
  });
});

function messagesIn(namespace: protobuf.Namespace): protobuf.Type[] {
  return namespace.nestedArray.flatMap((entry) => [
    ...(entry instanceof protobuf.Type ? [entry] : []),
    ...(entry instanceof protobuf.Namespace ? messagesIn(entry) : []),
  ]);
}

function shapeOf(field: DescField): string {
  const type =
    field.message?.typeName ?? field.enum?.typeName ?? (field.scalar === undefined ? '?' : ScalarType[field.scalar].toLowerCase());
  return `${field.fieldKind === 'list' || field.fieldKind === 'map' ? field.fieldKind : 'one'} ${type} ${field.oneof?.name ?? ''}`;
}

function shapeOfPublished(field: protobuf.Field): string {
  const type = field.resolvedType?.fullName.slice(1) ?? field.type;
  const oneof =
    field.partOf && !field.partOf.name.startsWith('_') ? field.partOf.name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`) : '';
  return `${field.map ? 'map' : field.repeated ? 'list' : 'one'} ${type} ${oneof}`;
}
