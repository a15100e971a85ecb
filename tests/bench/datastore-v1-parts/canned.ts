// The peer: a bare gRPC server of the same library that answers each method with the same bytes, whatever it was asked. It
// tells what the library alone costs.
//
//   node --import tsx canned.ts    sends its port; takes { method: base64 }; answers 'cpu' with microseconds; ends on 'stop'
import { type handleUnaryCall, Server, ServerCredentials } from '@grpc/grpc-js';
import { answerParent } from '../measured-server.ts';

const MiB = 1024 * 1024;
const answers = new Map<string, Buffer>();
const asIs = (bytes: Buffer): Buffer => bytes;

const server = new Server({ 'grpc.max_receive_message_length': 16 * MiB, 'grpc.max_send_message_length': -1 });
for (const method of ['Lookup', 'Commit', 'RunQuery']) {
  const answer: handleUnaryCall<Buffer, Buffer> = (_, callback) => {
    callback(null, answers.get(method) ?? Buffer.alloc(0));
  };
  const path = `/google.datastore.v1.Datastore/${method}`;
  const form = { path, requestStream: false, responseStream: false, requestSerialize: asIs, requestDeserialize: asIs } as const;
  server.addService({ [method]: { ...form, responseSerialize: asIs, responseDeserialize: asIs } }, { [method]: answer });
}
process.on('message', (message) => {
  if (typeof message !== 'object' || message === null) return;
  for (const [method, base64] of Object.entries(message)) answers.set(method, Buffer.from(String(base64), 'base64'));
  process.send?.('taken');
});
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  answerParent(port, () => {
    server.forceShutdown();
    return Promise.resolve();
  });
});
