import { Readable } from 'node:stream';
import { type Appended, type BlobStore, BodyInUse, DigestMismatch, OffsetMismatch, type StretchDigest } from '../../../blobs/blob-store.ts';
import type { Clock } from '../../../foundation/clock.ts';
import { Problem } from '../../../foundation/problem.ts';

/** A stretch of an upload, as it comes. */
export interface Stretch {
  readonly id: string;
  readonly offset: number;
  readonly body: Readable;
  readonly checksum?: StretchDigest | undefined;
  /** Looks at each chunk before it is taken; where it throws, the stretch ends before the chunk. */
  look(chunk: Buffer, end: number): void | Promise<void>;
}

/** The bytes of uploads on their way. Two requests for one upload never write at once. */
export interface UploadBytes {
  /** Throws `locked` while bytes of another request come. One that has been silent for a while is cut off: its client came back. */
  makeWay(id: string): Promise<void>;
  /** Takes what comes until it ends or breaks off, durably. Throws `conflict`, `checksum-mismatch`, `locked`. */
  take(stretch: Stretch): Promise<Appended>;
  /** Cuts off what is coming; resolves when nothing is written any more. */
  cutOff(id: string): Promise<void>;
  /** Resolves when no bytes come. */
  whenStill(id: string): Promise<void>;
  isFlowing(id: string): boolean;
}

interface Flow {
  lastByteAt: number;
  readonly body: Readable;
  readonly ended: Promise<unknown>;
}

/** A client whose connection broke comes back before we notice. */
const silentMs = 5_000;

export const inUse = (): Problem => new Problem('locked', 'Another request sends bytes of this upload.', { retryAfterMs: 1_000 });

export const wrongOffset = (offset: number): Problem =>
  new Problem('conflict', `The upload goes on at ${offset}.`, { members: { offset }, headers: { 'upload-offset': String(offset) } });

/** What the blob store refuses, in words for the client. */
const refusalOf = (error: unknown): unknown => {
  if (error instanceof OffsetMismatch) return wrongOffset(error.offset);
  if (error instanceof BodyInUse) return inUse();
  if (error instanceof DigestMismatch) return new Problem('checksum-mismatch', 'The bytes of this request have another checksum.');
  return error;
};

export const createUploadBytes = ({ blobs, clock }: { blobs: Pick<BlobStore, 'append'>; clock: Clock }): UploadBytes => {
  const flows = new Map<string, Flow>();

  const cutOff: UploadBytes['cutOff'] = async (id) => {
    const flow = flows.get(id);
    if (flow === undefined) return;
    flow.body.destroy(new Problem('locked', 'Another request went on with this upload.'));
    await flow.ended;
  };

  return {
    cutOff,
    whenStill: async (id) => void (await flows.get(id)?.ended),
    isFlowing: (id) => flows.has(id),
    async makeWay(id) {
      const flow = flows.get(id);
      if (flow === undefined) return;
      if (clock.now() - flow.lastByteAt < silentMs) throw inUse();
      await cutOff(id);
    },
    async take({ id, offset, body, checksum, look }) {
      if (flows.has(id)) throw inUse();
      const watched = async function* () {
        let end = offset;
        for await (const chunk of body as AsyncIterable<Buffer>) {
          end += chunk.length;
          flow.lastByteAt = clock.now();
          await look(chunk, end);
          yield chunk;
        }
      };
      const appending = blobs.append(id, offset, Readable.from(watched(), { objectMode: false }), checksum);
      const ended = appending.then(
        () => undefined,
        () => undefined,
      );
      const flow: Flow = { lastByteAt: clock.now(), body, ended };
      flows.set(id, flow);
      try {
        return await appending;
      } catch (error) {
        throw refusalOf(error);
      } finally {
        flows.delete(id);
      }
    },
  };
};
