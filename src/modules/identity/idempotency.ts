import type { Database } from '../../database/database.ts';
import type { Clock } from '../../foundation/clock.ts';
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

/** Remembers answers in the database, so that a key holds on every replica and after a restart. */
export interface Idempotency {
  /** Of two at once only one gets `new`: the table's primary key decides. */
  begin(claim: Claim): Promise<Finding>;
  /** Durable when it resolves. */
  finish(claim: Claim, answer: { readonly status: number; readonly body?: string }): Promise<void>;
  release(claim: Claim): Promise<void>;
}

const keptMs = 24 * 60 * 60 * 1000;
/** A request that runs for longer was cut off by a crash. */
const heldMs = 60 * 1000;

export const createIdempotency = ({
  database,
  store,
  seal,
  clock,
}: {
  database: Pick<Database, 'write'>;
  store: ReturnType<typeof createIdempotencyKeyStore>;
  seal: Pick<Seal, 'mac'>;
  clock: Clock;
}): Idempotency => ({
  async begin({ callerId, key, digest: plainDigest }) {
    const now = clock.now();
    // Keyed: of a sign-up all but the password is known, which could be found from a plain digest by trying.
    const digest = seal.mac(plainDigest, 'request-digest');
    const row = {
      callerId,
      idempotencyKey: key,
      requestDigest: digest,
      createdAt: now,
      expiresAt: now + keptMs,
      staleBefore: now - heldMs,
    };
    const [begun] = await database.write([store.beginKey(row)]);
    if (begun?.changes === 1) return { state: 'new' };
    const found = await store.findKey(callerId, key);
    // It ended between the two: whoever held it was refused or cleaned away, so the client tries again.
    if (!found) return { state: 'running' };
    if (found.requestDigest !== digest) return { state: 'other-request' };
    if (found.state === 'running' || found.status === null) return { state: 'running' };
    return { state: 'done', status: found.status, ...(found.bodyJson === null ? {} : { body: found.bodyJson }) };
  },
  async finish({ callerId, key }, { status, body }) {
    await database.write([store.finishKey({ callerId, idempotencyKey: key, status, bodyJson: body ?? null })]);
  },
  async release({ callerId, key }) {
    await database.write([store.releaseKey({ callerId, idempotencyKey: key })]);
  },
});
