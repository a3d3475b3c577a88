import type { Database } from '../../database/database.ts';
import type { Clock } from '../../foundation/clock.ts';
import { idPrefixes } from '../../foundation/ids.ts';
import type { Seal } from '../../foundation/secret.ts';
import type { createIdempotencyKeyStore } from './idempotency-store.ts';

/** A request with an `Idempotency-Key`. `digest` tells two requests under one key apart. */
export interface Claim {
  readonly callerId: string;
  readonly key: string;
  readonly digest: string;
}

export type Finding =
  | { readonly state: 'new' }
  | { readonly state: 'running' }
  | { readonly state: 'other-request' }
  | { readonly state: 'done'; readonly status: number; readonly body?: string };

/**
 * Remembers answers in the database, so that a key holds on every replica and after a restart. Bodies hold passwords, names and addresses:
 * of a request only a keyed digest is kept, so that nobody finds a password from it by trying, and the answer is sealed.
 */
export interface Idempotency {
  /** Of two at once only one gets `new`: the table's primary key decides. */
  begin(claim: Claim): Promise<Finding>;
  /** Durable when it resolves. */
  finish(claim: Claim, answer: { readonly status: number; readonly body?: string }): Promise<void>;
  release(claim: Claim): Promise<void>;
  /** Whether an answer is kept for the key, whatever it was sent with. */
  isAnswered(key: Pick<Claim, 'callerId' | 'key'>): Promise<boolean>;
}

const keptMs = 24 * 60 * 60 * 1000;
/** A request that runs for longer was cut off by a crash. */
const heldMs = 60 * 1000;
const purpose = 'idempotency';

export const createIdempotency = ({
  database,
  store,
  seal,
  clock,
}: {
  database: Pick<Database, 'write'>;
  store: ReturnType<typeof createIdempotencyKeyStore>;
  seal: Seal;
  clock: Clock;
}): Idempotency => ({
  async begin({ callerId, key, digest }) {
    const now = clock.now();
    const requestDigest = seal.mac(digest, purpose);
    const row = {
      callerId,
      idempotencyKey: key,
      requestDigest,
      createdAt: now,
      expiresAt: now + keptMs,
      staleBefore: now - heldMs,
    };
    const [begun] = await database.write([store.beginKey(row)]);
    if (begun?.changes === 1) return { state: 'new' };
    const found = await store.findKey(callerId, key);
    // It ended between the two: whoever held it was refused or cleaned away, so the client tries again.
    if (!found) return { state: 'running' };
    if (found.requestDigest !== requestDigest) return { state: 'other-request' };
    if (found.state === 'running' || found.status === null) return { state: 'running' };
    return { state: 'done', status: found.status, ...(found.sealedBody === null ? {} : { body: seal.open(found.sealedBody, purpose) }) };
  },
  async finish({ callerId, key }, { status, body }) {
    const sealedBody = body === undefined ? null : seal.seal(body, purpose);
    await database.write([store.finishKey({ callerId, idempotencyKey: key, status, sealedBody, personId: personIn(body) })]);
  },
  async release({ callerId, key }) {
    await database.write([store.releaseKey({ callerId, idempotencyKey: key })]);
  },
  async isAnswered({ callerId, key }) {
    const found = await store.findKey(callerId, key);
    return found !== undefined && found.state === 'done' && found.expiresAt > clock.now();
  },
});

const startOfPerson = new RegExp(`^\\{"id":"(${idPrefixes.person}_\\w+)"`);

/** The person whom an answer tells about, by the id that it begins with; the answer goes with the account. */
const personIn = (body = ''): string | null => startOfPerson.exec(body)?.[1] ?? null;
