import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Log } from '../foundation/log.ts';
import { Problem, problems } from '../foundation/problem.ts';
import { hashOf } from '../foundation/secret.ts';
import { addressOf } from './access.ts';

/** How long an answer is kept for its key. */
export const keptAnswerMs = 24 * 60 * 60 * 1000;

/** How long a key is held by a request that has not been answered: after that its process has died, and the key is free again. */
export const heldKeyMs = 60 * 1000;

/** A request with a key. `digest` tells two requests apart: SHA-256 of method, address and body. */
export interface IdempotencyClaim {
  readonly callerId: string;
  readonly key: string;
  readonly digest: string;
}

/** What is known of a key: nothing, that its first request still runs, what that was answered, or that it was another request. */
export type IdempotencyFinding =
  | { readonly state: 'new' }
  | { readonly state: 'running' }
  | { readonly state: 'other-request' }
  | { readonly state: 'done'; readonly status: number; readonly body?: string };

/** Remembers which request a caller sent under a key, and the answer. Keys of different callers do not touch each other. */
export interface IdempotencyStore {
  /**
   * Looks the key up, and when it is new (or its time is over) takes it for this request, in one step: of two at once only one gets
   * `new`. A taken key is held for `heldKeyMs`. Another digest under a known key is `other-request`, also while the first runs.
   */
  begin(claim: IdempotencyClaim): Promise<IdempotencyFinding>;
  /** When it resolves, the answer is durable and given to every later `begin` of the same claim for `keptAnswerMs`. */
  finish(claim: IdempotencyClaim, answer: { readonly status: number; readonly body?: string }): Promise<void>;
  /** Frees the key: the request was refused and left nothing behind. */
  release(claim: IdempotencyClaim): Promise<void>;
  /** Whether an answer is kept for the key, whatever it was sent with. */
  isAnswered(key: Pick<IdempotencyClaim, 'callerId' | 'key'>): Promise<boolean>;
}

/** The key of a request whose body is a stream: which request it is, is known only when all of it has come. */
export interface StreamKey {
  /** It came before and was answered: then nothing of the body is to be kept, it is only to be compared. */
  readonly isAnswered: boolean;
  /**
   * To be told a digest of all that the request sent, before anything is made. Resolves with whether the request has its answer by that:
   * the one of the first. Throws `key-reused` where the first was another request, `in-progress` where it is not answered yet.
   */
  settle(digest: string): Promise<boolean>;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /**
     * Takes `Idempotency-Key`. For routes that create something from a JSON body; with a streamed body the key is left unused, unless it says
     * `when-read`: then the handler settles `request.streamKey`.
     */
    isIdempotent?: boolean | 'when-read';
    /** The answer shows a secret, so it is never stored: a second use of the key is 409 with the `id` of what was created. */
    showsSecret?: boolean | ((answer: string) => boolean);
  }
  interface FastifyRequest {
    /** The claim that this request holds until it is answered. */
    idempotencyClaim: IdempotencyClaim | undefined;
    /** On routes that are `isIdempotent: 'when-read'`, of requests with a key. */
    streamKey: StreamKey | undefined;
  }
}

const keyPattern = /^[\x20-\x7e]{1,255}$/;

/** The headers that are a part of what is sent: its type, and the attributes of a CloudEvent in binary mode. */
const bodyHeaders = ({ headers }: FastifyRequest): string =>
  Object.entries(headers)
    .filter(([name]) => name === 'content-type' || name.startsWith('ce-'))
    .sort()
    .join('\n');

const keyOf = (request: FastifyRequest): Pick<IdempotencyClaim, 'callerId' | 'key'> => {
  const key = request.headers['idempotency-key'];
  if (typeof key !== 'string' || !keyPattern.test(key)) {
    throw new Problem('bad-request', 'The Idempotency-Key is not usable.', {
      errors: [{ in: 'header', at: '/idempotency-key', why: 'must have 1 to 255 printable ASCII characters' }],
    });
  }
  // Who has no session is known by the address alone.
  return { callerId: request.caller?.id ?? `address:${addressOf(request)}`, key };
};

const claimOf = (request: FastifyRequest): IdempotencyClaim | undefined => {
  // A stream is not known before it is taken, so two of them could not be told apart.
  if (request.body instanceof Readable) return undefined;
  return {
    ...keyOf(request),
    digest: hashOf(`${request.method} ${request.url}\n${bodyHeaders(request)}\n${request.rawBody ?? ''}`),
  };
};

/** The part of an answer that may be stored although it shows a secret. */
const onlyId = (body: string): string => {
  const answer = JSON.parse(body) as Record<string, unknown>; // our own answer, an object
  return JSON.stringify({ id: answer.id ?? idWithin(answer) });
};

/** Where the secret is beside what was created, and not in it. */
const idWithin = (answer: Record<string, unknown>): unknown => {
  for (const value of Object.values(answer)) if (typeof value === 'object' && value !== null && 'id' in value) return value.id;
  return undefined;
};

/** The status under which the id of something is kept whose first answer showed a secret: it is what the second use is answered. */
const secretStatus = problems['already-created'].status;

/** The two hooks of a route that takes `Idempotency-Key`: before the handler, and before its answer leaves. */
export const idempotencyHooks = ({
  store,
  log,
  showsSecret,
  isWhenRead = false,
}: {
  store: IdempotencyStore;
  log: Log;
  showsSecret: (answer: string) => boolean;
  isWhenRead?: boolean;
}) => {
  const answerAgain = (reply: FastifyReply, { status, body }: { status: number; body?: string }): FastifyReply => {
    if (status === secretStatus) {
      throw new Problem('already-created', 'The first answer showed a secret and is not kept.', { members: JSON.parse(body ?? '{}') });
    }
    reply.code(status).header('idempotency-replayed', 'true');
    return body === undefined ? reply.send() : reply.type('application/json; charset=utf-8').send(body);
  };

  const keptOf = (status: number, payload: unknown) => {
    if (typeof payload !== 'string') return { status };
    return showsSecret(payload) ? { status: secretStatus, body: onlyId(payload) } : { status, body: payload };
  };

  const inProgress = () =>
    new Problem('in-progress', 'The first request with this Idempotency-Key is not answered yet.', { retryAfterMs: 1000 });

  /** Resolves with whether the request has its answer by that. */
  const hold = async (request: FastifyRequest, reply: FastifyReply, claim = claimOf(request)): Promise<boolean> => {
    if (claim === undefined) return false;
    const found = await store.begin(claim);
    switch (found.state) {
      case 'new':
        request.idempotencyClaim = claim;
        return false;
      case 'running':
        throw inProgress();
      case 'other-request':
        throw new Problem('key-reused', 'This Idempotency-Key came with another request before.');
      case 'done':
        answerAgain(reply, found);
        return true;
      default:
        return found satisfies never;
    }
  };

  /** Keys of streams that come in just now, by this process; of two that come by two processes the store lets one through in the end. */
  const coming = new Set<string>();

  const holdStream = async (request: FastifyRequest, reply: FastifyReply): Promise<boolean> => {
    const key = keyOf(request);
    const name = JSON.stringify(key);
    if (coming.has(name)) throw inProgress();
    coming.add(name);
    reply.raw.once('close', () => coming.delete(name));
    const isAnswered = await store.isAnswered(key);
    request.streamKey = {
      isAnswered,
      async settle(digest) {
        if (await hold(request, reply, { ...key, digest: hashOf(`${request.method} ${request.url}\n${digest}`) })) return true;
        if (isAnswered) throw inProgress(); // its time ended in between, and the bytes were not kept: the client sends them again
        return false;
      },
    };
    return false;
  };

  // Most requests bring no key, and for them nothing is to be waited for.
  const preHandler = (request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void) => {
    if (request.headers['idempotency-key'] === undefined) return done();
    (isWhenRead ? holdStream : hold)(request, reply).then((isAnswered) => (isAnswered ? undefined : done()), done);
  };

  const keep = async (claim: IdempotencyClaim, request: FastifyRequest, reply: FastifyReply, payload: unknown): Promise<void> => {
    request.idempotencyClaim = undefined;
    const isMade = reply.statusCode >= 200 && reply.statusCode < 300;
    try {
      await (isMade ? store.finish(claim, keptOf(reply.statusCode, payload)) : store.release(claim));
    } catch (error) {
      // What the handler made is there and its answer is right; a failure to remember it must not make a refusal of it.
      log.error({ err: error, requestId: request.id }, 'idempotency.not-kept');
    }
  };

  const onSend = (request: FastifyRequest, reply: FastifyReply, payload: unknown, done: (error: null, payload: unknown) => void) => {
    const claim = request.idempotencyClaim;
    if (claim === undefined) return done(null, payload);
    void keep(claim, request, reply, payload).then(() => done(null, payload));
  };

  return { preHandler, onSend };
};
