// How answers are put together: by one writer for all, since none is begun within another.
import { ProtoWriter } from '../../../../sdk/contract/protobuf.ts';

const messages = new ProtoWriter();

/** The message that `write` writes, synchronously, as one piece. */
export function answer(write: (writer: ProtoWriter) => void): Buffer {
  try {
    write(messages.clear());
    return messages.finish();
  } finally {
    // It must not hold the entities of the last answer until the next.
    messages.clear();
  }
}
