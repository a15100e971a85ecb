// What one HTTP/1 connection was answered and its client has not taken. A client may send requests ahead and read nothing: Node keeps all
// answers, and tells nobody of those that it kept when the connection goes.
import { type ServerResponse } from 'node:http';
import { type Socket } from 'node:net';
import { type V1Calls } from './calls.ts';

export class UnreadAnswers {
  readonly #calls: V1Calls;
  readonly #socket: Socket;
  #bytes = 0;

  constructor(calls: V1Calls, socket: Socket) {
    this.#calls = calls;
    this.#socket = socket;
    socket.once('close', () => {
      this.#read(this.#bytes);
    });
  }

  /** Before `response` is sent so much. */
  add(response: ServerResponse, bytes: number): void {
    if (this.#socket.destroyed) return;
    this.#bytes += bytes;
    this.#calls.answered(bytes);
    response.once('close', () => {
      this.#read(Math.min(bytes, this.#bytes));
    });
  }

  #read(bytes: number): void {
    this.#bytes -= bytes;
    this.#calls.read(bytes);
  }
}
