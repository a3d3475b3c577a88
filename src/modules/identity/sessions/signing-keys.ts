import { generateKeyPairSync } from 'node:crypto';
import type { Database } from '../../../database/database.ts';
import type { SigningKeyRow } from '../../../database/tables.ts';
import { type Clock, toRfc3339 } from '../../../foundation/clock.ts';
import type { Ids } from '../../../foundation/ids.ts';
import { type Seal, WrongSecretKey } from '../../../foundation/secret.ts';
import type { Trace } from '../../trace/trace.ts';
import type { SigningKeyStore } from './signing-key-store.ts';

/** A public key as RFC 7517 and RFC 8037 write it. */
export interface PublicJwk {
  readonly kty: string;
  readonly crv: string;
  readonly x: string;
  readonly kid: string;
  readonly use: 'sig';
  readonly alg: 'EdDSA';
}

export interface SigningKey {
  readonly id: string;
  readonly createdAt: number;
  /** From here on it signs nothing new. */
  readonly retiresAt: number;
  readonly publicJwk: PublicJwk;
  /** PKCS 8, PEM. */
  readonly privateKeyPem: string;
  readonly expiresAt: number;
}

export interface SigningKeys {
  /** The key that signs now: of those not retired the oldest, so a new one is published for a day before it signs. */
  current(): SigningKey;
  /** Every key that signs, will sign, or signed tokens that may still be out. */
  all(): readonly SigningKey[];
  /** Reads what is there and makes the next key when it is time. Rejects when a key was sealed with another secret key. */
  reload(): Promise<void>;
  /**
   * Makes a new key, published when it resolves. `gently`: it signs after a few seconds, when every server has read it, and what the keys
   * before have signed stays good. `now`: the keys before have leaked, so what they have signed counts for nothing any more, here and by
   * the next look of every other server; sessions go on with their refresh tokens.
   */
  rotate(how: Rotation, by: KeyAct): Promise<SigningKey>;
}

export type Rotation = 'gently' | 'now';

/** Who rotates: written into the trace of the new key. */
export interface KeyAct {
  readonly tenantId: string;
  readonly who?: string;
  readonly place: string;
}

const dayMs = 24 * 60 * 60 * 1000;
const signsForMs = 30 * dayMs;
/** Verifiers elsewhere may keep the published keys for this long. */
const publishedAheadMs = dayMs;
/** Every server looks for new keys every two seconds; by then all know it. */
const handOverMs = 5_000;
const purpose = 'signing-key';

export const createSigningKeys = async ({
  database,
  store,
  seal,
  clock,
  ids,
  accessTokenTtlMs,
  trace,
}: {
  database: Database;
  store: SigningKeyStore;
  trace: Pick<Trace, 'entries'>;
  seal: Seal;
  clock: Clock;
  ids: Ids;
  accessTokenTtlMs: number;
}): Promise<SigningKeys> => {
  const verifiesForMs = Math.max(accessTokenTtlMs, dayMs);
  /** Oldest first. */
  let opened: readonly SigningKey[] = [];

  const open = (row: SigningKeyRow): SigningKey => {
    const { id, createdAt, retiresAt, expiresAt } = row;
    const known = opened.find((key) => key.id === id);
    if (known) return { ...known, retiresAt, expiresAt };
    return { id, createdAt, retiresAt, expiresAt, publicJwk: JSON.parse(row.publicJwkJson) as PublicJwk, privateKeyPem: unseal(row) }; // written by `makeKey`
  };

  const unseal = (row: SigningKeyRow): string => {
    try {
      return seal.open(row.sealedPrivateKey, purpose);
    } catch (cause) {
      throw new WrongSecretKey('the signing keys', cause);
    }
  };

  const needsNext = (rows: readonly SigningKeyRow[], now: number) => !rows.some((row) => row.retiresAt - publishedAheadMs > now);

  const makeKey = (now: number, signsFrom: number): SigningKeyRow => {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    const id = ids.next('key');
    const retiresAt = signsFrom + signsForMs;
    return {
      id,
      publicJwkJson: JSON.stringify({ ...publicKey.export({ format: 'jwk' }), kid: id, use: 'sig', alg: 'EdDSA' }),
      sealedPrivateKey: seal.seal(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), purpose),
      createdAt: now,
      retiresAt,
      expiresAt: retiresAt + verifiesForMs,
    };
  };

  const reload = async () => {
    const now = clock.now();
    let rows = await store.listKeys(now);
    if (needsNext(rows, now)) {
      // Looks again while it holds the writer, so that processes that start together agree on one key.
      rows = await database.transaction(async (trx) => {
        const present = await store.listKeys(now, trx);
        if (!needsNext(present, now)) return present;
        const made = makeKey(now, Math.max(now, ...present.map((row) => row.retiresAt)));
        await trx.run([store.insertKey(made)]);
        return [...present, made];
      });
    }
    opened = rows.map(open);
  };

  await reload();
  return {
    current() {
      const now = clock.now();
      const key = opened.find(({ retiresAt }) => retiresAt > now) ?? opened.at(-1);
      if (!key) throw new Error('There is no signing key.');
      return key;
    },
    all: () => opened,
    reload,
    async rotate(how, { tenantId, who, place }) {
      const now = clock.now();
      const signsFrom = how === 'now' ? now : now + handOverMs;
      const made = makeKey(now, signsFrom);
      const traced = trace.entries([
        { tenantId, subject: made.id, kind: 'key', at: now, what: 'rotated', who, place, detail: { how, signsFrom: toRfc3339(signsFrom) } },
      ]);
      const ending = how === 'now' ? store.removeAllKeys() : store.retireKeys({ at: signsFrom, expiresAt: signsFrom + verifiesForMs });
      await database.write([ending, store.insertKey(made), ...traced]);
      await reload();
      return open(made);
    },
  };
};
