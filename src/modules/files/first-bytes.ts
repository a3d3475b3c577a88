import type { Readable } from 'node:stream';

/** The beginning of a body, and the way to all of it. */
export interface Begun {
  readonly head: Buffer;
  /** The head is all there is. */
  readonly isWhole: boolean;
  /** All of it, head first, once. Whoever does not read it to its end calls `drop`. */
  bytes(): AsyncGenerator<Buffer>;
  /** Lets go of the body. */
  drop(): Promise<void>;
}

/** Reads at least `wanted` bytes where there are as many. Rejects with the error of the body. */
export const beginReading = async (body: Readable, wanted: number): Promise<Begun> => {
  const iterator: AsyncIterator<Buffer> = body[Symbol.asyncIterator]();
  const first: Buffer[] = [];
  let size = 0;
  let isWhole = false;
  while (size < wanted && !isWhole) {
    const { value, done } = await iterator.next();
    if (done === true) isWhole = true;
    else {
      first.push(value);
      size += value.length;
    }
  }
  const [only] = first;
  const drop = async () => void (await iterator.return?.());
  return {
    head: first.length === 1 && only !== undefined ? only : Buffer.concat(first, size),
    isWhole,
    drop,
    async *bytes() {
      try {
        yield* first;
        while (!isWhole) {
          const { value, done } = await iterator.next();
          if (done === true) return;
          yield value;
        }
      } finally {
        await drop();
      }
    },
  };
};
