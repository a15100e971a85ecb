// Two ways to call, each as lean as it gets, so that the servers are what keeps the clock: bytes in, bytes out.
import { Agent, request } from 'node:http';
import { Client, credentials } from '@grpc/grpc-js';

const MiB = 1024 * 1024;
const asIs = (bytes: Buffer): Buffer => bytes;

export type Method = 'Lookup' | 'Commit' | 'RunQuery';

export interface Caller {
  call(method: Method, request: Buffer): Promise<Buffer>;
  close(): void;
}

export function grpcCaller(port: number): Caller {
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), { 'grpc.max_receive_message_length': 16 * MiB });
  return {
    call: (method, bytes) =>
      new Promise((resolve, reject) => {
        client.makeUnaryRequest(`/google.datastore.v1.Datastore/${method}`, asIs, asIs, bytes, (error, answer) => {
          if (error || !answer) reject(error ?? new Error('no answer'));
          else resolve(answer);
        });
      }),
    close: () => {
      client.close();
    },
  };
}

export function httpCaller(port: number, project: string, connections: number): Caller {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const pathOf = (method: Method): string => `/v1/projects/${project}:${method.charAt(0).toLowerCase()}${method.slice(1)}`;
  return {
    call: (method, bytes) =>
      new Promise((resolve, reject) => {
        const headers = { 'content-type': 'application/x-protobuf', 'content-length': bytes.length };
        const sent = request({ agent, port, host: '127.0.0.1', method: 'POST', path: pathOf(method), headers }, (response) => {
          const pieces: Buffer[] = [];
          response.on('data', (piece: Buffer) => pieces.push(piece));
          response.on('end', () => {
            if (response.statusCode === 200) resolve(Buffer.concat(pieces));
            else reject(new Error(`HTTP status ${response.statusCode}: ${Buffer.concat(pieces).toString()}`));
          });
        });
        sent.on('error', reject);
        sent.end(bytes);
      }),
    close: () => {
      agent.destroy();
    },
  };
}
