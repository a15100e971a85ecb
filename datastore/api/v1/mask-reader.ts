// PropertyMask of requests: which properties a read returns, or a write changes.
import { ProtoReader } from '../../../sdk/contract/protobuf.ts';
import { invalid, unknownField } from './request-fields.ts';

/** The paths as they are written. `path` is where the mask stands in the request. */
export function readPropertyMask(bytes: Buffer, path: string): readonly string[] {
  const reader = new ProtoReader(bytes);
  const paths: string[] = [];
  while (reader.next()) {
    if (reader.field !== 1) throw unknownField('PropertyMask', reader.field);
    const text = reader.string();
    if (text === '') throw invalid(`${path}.paths has an empty path`);
    paths.push(text);
  }
  return paths;
}
