import { Readable } from 'node:stream';
import { hasOwnChunks, releaseChunk } from '../foundation/own-chunks.ts';
import { type ByteRange, bytesIn, contentRange } from './ranges.ts';

/** What can be read in parts. */
export interface RangeSource {
  readonly size: number;
  /** Without a range from the first byte to the last. The signal aborts when nobody waits any more; the stream is destroyed then anyway. */
  open(range: ByteRange | undefined, signal: AbortSignal): Promise<Readable>;
}

/**
 * A body that gives back the memory of each chunk as soon as it has left for the client: a large download costs a third of the processor
 * time then, since nothing piles up for the collector. So it may be piped into a connection only, not through anything that keeps chunks.
 */
class ReleasingBody extends Readable {
  override pipe<Sink extends NodeJS.WritableStream>(sink: Sink): Sink {
    this.on('data', (chunk: Buffer) => {
      const isTaken = sink.write(chunk, (error) => {
        if (!error) releaseChunk(chunk); // else a write may still be under way
      });
      if (!isTaken) this.pause();
    });
    this.on('end', () => sink.end());
    sink.on('drain', () => this.resume());
    return sink;
  }
}

/**
 * Opens a part of the bytes and resolves as soon as the first of them is there, so that whatever stands in their way can still be
 * answered. The stream gives exactly the bytes that were promised, or fails: with fewer the client would wait for the rest for ever, with
 * more it would take them for the next answer. Destroying it destroys the source.
 */
export const openRange = async (source: RangeSource, range: ByteRange, signal: AbortSignal): Promise<Readable> => {
  const wanted = bytesIn(range);
  const opened = await source.open(wanted === source.size ? undefined : range, signal);
  const { promise, resolve, reject } = Promise.withResolvers<Readable>();
  let given = 0;
  const Body = hasOwnChunks(opened) ? ReleasingBody : Readable;
  const body = new Body({
    read: () => void opened.resume(),
    destroy: (error, done) => {
      reject(error ?? new Error('Nobody waits for the bytes any more'));
      opened.destroy();
      done(error);
    },
  });
  // Its errors come a second time from `body`, or concern nobody any more.
  opened.on('error', (error) => body.destroy(error));
  opened.on('close', () => {
    if (!opened.readableEnded) body.destroy(new Error('The bytes were cut off'));
  });
  opened.on('end', () => {
    if (given === wanted) body.push(null);
    else body.destroy(new Error(`There were ${given} bytes where ${wanted} have to be`));
  });
  opened.on('data', (chunk: Buffer) => {
    given += chunk.length;
    if (given > wanted) {
      body.destroy(new Error(`There are more than ${wanted} bytes`));
      return;
    }
    if (!body.push(chunk)) opened.pause();
    resolve(body);
  });
  if (signal.aborted || opened.destroyed) body.destroy();
  else signal.addEventListener('abort', () => body.destroy(), { once: true });
  // Until somebody reads the body there is nobody else to hear of its failure.
  body.on('error', () => undefined);
  return promise;
};

export interface MultipartBody {
  readonly contentType: string;
  readonly length: number;
  /** Resolves when the first bytes are there. */
  open(signal: AbortSignal): Promise<Readable>;
}

/**
 * Several ranges in one body (RFC 9110 §14.6). The boundary is the digest of the whole: no bytes can hold their own digest, so nobody can
 * upload bytes that would end a part early, and it needs no chance.
 */
export const multipartBody = (
  source: RangeSource & { readonly sha256: string; readonly type: string },
  ranges: readonly ByteRange[],
): MultipartBody => {
  const { size, sha256, type } = source;
  const parts = ranges.map((range) => ({
    range,
    head: Buffer.from(`\r\n--${sha256}\r\nContent-Type: ${type}\r\nContent-Range: ${contentRange(range, size)}\r\n\r\n`),
  }));
  const end = Buffer.from(`\r\n--${sha256}--\r\n`);

  return {
    contentType: `multipart/byteranges; boundary=${sha256}`,
    length: parts.reduce((sum, { head, range }) => sum + head.length + bytesIn(range), end.length),
    async open(signal) {
      const [first] = parts;
      // Opened ahead, so that what stands in its way can still be answered.
      const opened = first === undefined ? undefined : await openRange(source, first.range, signal);
      const pieces = async function* () {
        for (const part of parts) {
          yield part.head;
          yield* part === first && opened !== undefined ? opened : await openRange(source, part.range, signal);
        }
        yield end;
      };
      const body = Readable.from(pieces(), { objectMode: false });
      body.once('close', () => opened?.destroy());
      return body;
    },
  };
};
