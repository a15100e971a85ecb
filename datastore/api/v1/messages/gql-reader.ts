// GqlQuery of requests: the statement and its bindings.
import { decodeValue } from '../../../../sdk/contract/entity-proto.ts';
import { PlatformError } from '../../../../sdk/contract/errors.ts';
import { LIMITS } from '../../../../sdk/contract/limits.ts';
import { ProtoReader } from '../../../../sdk/contract/protobuf.ts';
import { type GqlArgument } from '../../../../gql/bind.ts';
import { known } from './known-fields.ts';
import { another, invalid, type Parts, unknownField, whole } from './request-fields.ts';

export interface GqlQuery {
  readonly text: string;
  readonly allowLiterals: boolean;
  /** A record without a prototype. */
  readonly named: Readonly<Record<string, GqlArgument>>;
  readonly positional: readonly GqlArgument[];
}

export function readGqlQuery(bytes: Buffer): GqlQuery {
  const reader = new ProtoReader(bytes);
  const named = Object.create(null) as Record<string, GqlArgument>;
  const positional: GqlArgument[] = [];
  let text = '';
  let allowLiterals = false;
  let bindings = 0;
  while (reader.next()) {
    switch (reader.field) {
      case 1:
        text = reader.string();
        break;
      case 2:
        allowLiterals = reader.int64() !== 0n;
        break;
      case 4:
        positional.push(readParameter(reader.bytes(), `gql_query.positional_bindings[${positional.length}]`));
        bindings += 1;
        break;
      case 5: {
        const [name, argument] = readNamed(reader.message());
        named[name] = argument;
        bindings += 1;
        break;
      }
      default:
        throw unknownField('GqlQuery', reader.field);
    }
    // No statement can use more.
    if (bindings > LIMITS.gqlTokensMax) throw new PlatformError('DS_LIMIT', `a statement has at most ${LIMITS.gqlTokensMax} bindings`);
  }
  return { text, allowLiterals, named, positional };
}

function readNamed(reader: ProtoReader): readonly [string, GqlArgument] {
  let name = '';
  let parameter: Parts;
  while (reader.next()) {
    if (reader.field === 1) name = reader.string();
    else if (reader.field === 2) parameter = another(parameter, reader);
    else throw unknownField('GqlQuery.NamedBindingsEntry', reader.field);
  }
  return [name, readParameter(whole(parameter), `gql_query.named_bindings[${JSON.stringify(name.slice(0, 100))}]`)];
}

function readParameter(bytes: Buffer | undefined, path: string): GqlArgument {
  if (!bytes) throw invalid(`${path} must have a value or a cursor`);
  const reader = new ProtoReader(bytes);
  let value: Parts;
  let cursor: Buffer | undefined;
  while (reader.next()) {
    if (reader.field === 2) {
      value = another(value, reader);
      cursor = undefined;
    } else if (reader.field === 3) {
      cursor = reader.bytes();
      value = undefined;
    } else throw unknownField('GqlQueryParameter', reader.field);
  }
  if (cursor) return { kind: 'cursor', cursor };
  const message = whole(value);
  if (!message) throw invalid(`${path} must have a value or a cursor`);
  return { kind: 'value', value: decodeValue(known(message, 'Value')) };
}
