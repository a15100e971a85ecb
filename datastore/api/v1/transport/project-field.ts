// The project that a URL names, put into a request in protobuf.
import { ProtoWriter } from '../../../../sdk/contract/protobuf.ts';

/** `project_id` of every request message. */
const PROJECT_ID = 8;

/** The request with another project: of a field that is there twice, the last counts. */
export function withProject(request: Buffer, projectId: string): Buffer {
  const writer = new ProtoWriter();
  writer.stringField(PROJECT_ID, projectId);
  return Buffer.concat([request, writer.finish()]);
}
