// Compiles the .proto files of Google's published package to schema.generated.ts, which maps the API's messages from and to JSON.
// The result is in the repository, so that neither a build nor a start needs that package; schema.test.ts says when it is out of date.
// Run it after the package changed: node datastore/api/v1/transport/compile-schema.mjs
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeFileSync } from 'node:fs';
import { create, toBinary } from '@bufbuild/protobuf';
import {
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
  FileDescriptorSetSchema,
  file_google_protobuf_duration,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_wrappers,
} from '@bufbuild/protobuf/wkt';

const require = createRequire(import.meta.url);
const protobuf = require('protobufjs');

const SERVICE = 'google/datastore/v1/datastore.proto';
const WELL_KNOWN = [
  file_google_protobuf_duration,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_wrappers,
];

/** TypeScript of the module. */
export function compiledSchema() {
  const packageFile = require.resolve('@google-cloud/datastore/package.json');
  const { version } = require(packageFile);
  const root = parsed(packageFile);
  const files = new Map();
  for (const entry of declared(root)) {
    const name = entry.parent.fullName.slice(1);
    if (name === 'google.protobuf') continue;
    if (!files.has(name)) files.set(name, { name: `${name}.proto`, package: name, syntax: 'proto3', messageType: [], enumType: [] });
    const file = files.get(name);
    if (entry instanceof protobuf.Enum) file.enumType.push(enumOf(entry));
    else file.messageType.push(messageOf(entry));
  }
  const api = files.get('google.datastore.v1');
  api.dependency = [...WELL_KNOWN.map(({ proto }) => proto.name), 'google.type.proto'];
  const set = create(FileDescriptorSetSchema, { file: [...WELL_KNOWN.map(({ proto }) => proto), files.get('google.type'), api] });
  const text = Buffer.from(toBinary(FileDescriptorSetSchema, set)).toString('base64');
  return [
    `// Generated from the .proto files of @google-cloud/datastore ${version} by compile-schema.mjs. Do not edit.`,
    '',
    '/** A google.protobuf.FileDescriptorSet in base64. */',
    `export const SCHEMA =\n  '${text}';`,
    '',
  ].join('\n');
}

/** Without google/api: its annotations of methods are of no use here. */
function parsed(packageFile) {
  const gax = createRequire(packageFile).resolve('google-gax');
  const common = join(gax.slice(0, gax.lastIndexOf('/build/')), 'build', 'protos');
  const root = new protobuf.Root();
  root.resolvePath = (_origin, target) => {
    if (target.startsWith('google/api/')) return null;
    return join(target.startsWith('google/datastore/') ? join(dirname(packageFile), 'build', 'protos') : common, target);
  };
  root.loadSync(SERVICE, { keepCase: true });
  return root.resolveAll();
}

/** Messages and enums that stand in a package, not in a message. */
function declared(namespace) {
  return namespace.nestedArray.flatMap((entry) => {
    if (entry instanceof protobuf.Type || entry instanceof protobuf.Enum) return [entry];
    return entry instanceof protobuf.Namespace && !(entry instanceof protobuf.Service) ? declared(entry) : [];
  });
}

function messageOf(type) {
  const entries = [];
  // What proto3 calls optional is a oneof of its own there.
  const oneofs = type.oneofsArray.filter((oneof) => !isSynthetic(oneof));
  const optional = type.fieldsArray.filter((field) => field.partOf && isSynthetic(field.partOf));
  const field = type.fieldsArray.map((each) => {
    const described = fieldOf(each, entries, type);
    if (!each.partOf) return described;
    if (optional.includes(each)) return { ...described, proto3Optional: true, oneofIndex: oneofs.length + optional.indexOf(each) };
    return { ...described, oneofIndex: oneofs.indexOf(each.partOf) };
  });
  return {
    name: type.name,
    field,
    oneofDecl: [...oneofs.map(({ name }) => ({ name })), ...optional.map(({ name }) => ({ name: `_${name}` }))],
    nestedType: [...entries, ...type.nestedArray.filter((each) => each instanceof protobuf.Type).map(messageOf)],
    enumType: type.nestedArray.filter((each) => each instanceof protobuf.Enum).map(enumOf),
  };
}

function isSynthetic(oneof) {
  return oneof.fieldsArray.length === 1 && Boolean(oneof.fieldsArray[0].options?.proto3_optional);
}

function fieldOf(field, entries, type) {
  const described = { name: field.name, number: field.id, jsonName: protobuf.util.camelCase(field.name) };
  if (field.map) {
    const name = `${protobuf.util.ucFirst(protobuf.util.camelCase(field.name))}Entry`;
    entries.push({
      name,
      field: [
        { name: 'key', number: 1, jsonName: 'key', label: Label.OPTIONAL, type: Type.STRING },
        { name: 'value', number: 2, jsonName: 'value', label: Label.OPTIONAL, ...typeOf(field) },
      ],
      options: { mapEntry: true },
    });
    return { ...described, label: Label.REPEATED, type: Type.MESSAGE, typeName: `${type.fullName}.${name}` };
  }
  return { ...described, label: field.repeated ? Label.REPEATED : Label.OPTIONAL, ...typeOf(field) };
}

function typeOf({ type, resolvedType }) {
  if (resolvedType instanceof protobuf.Enum) return { type: Type.ENUM, typeName: resolvedType.fullName };
  if (resolvedType) return { type: Type.MESSAGE, typeName: resolvedType.fullName };
  const scalar = Type[type.toUpperCase()];
  if (scalar === undefined) throw new Error(`No type ${type}`);
  return { type: scalar };
}

function enumOf({ name, values }) {
  return { name, value: Object.entries(values).map(([each, number]) => ({ name: each, number })) };
}

const self = fileURLToPath(import.meta.url);
if (process.argv[1] === self) writeFileSync(join(dirname(self), 'schema.generated.ts'), compiledSchema());
