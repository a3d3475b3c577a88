import { generateKeyPairSync } from 'node:crypto';
import type { Database } from '../../database/database.ts';
import type { SigningKeyRow } from '../../database/tables.ts';
import type { Clock } from '../../foundation/clock.ts';
import type { Ids } from '../../foundation/ids.ts';
import type { Seal } from '../../foundation/secret.ts';
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
}

const dayMs = 24 * 60 * 60 * 1000;
const signsForMs = 30 * dayMs;
/** Verifiers elsewhere may keep the published keys for this long. */
const publishedAheadMs = dayMs;
const purpose = 'signing-key';

export const createSigningKeys = async ({
  database,
  store,
  seal,
  clock,
  ids,
  accessTokenTtlMs,
}: {
  database: Database;
  store: SigningKeyStore;
  seal: Seal;
  clock: Clock;
  ids: Ids;
  accessTokenTtlMs: number;
}): Promise<SigningKeys> => {
  const opened = new Map<string, SigningKey & { readonly retiresAt: number }>();

  const open = (row: SigningKeyRow) => {
    const { id, retiresAt, expiresAt } = row;
    return { id, retiresAt, expiresAt, publicJwk: JSON.parse(row.publicJwkJson) as PublicJwk, privateKeyPem: unseal(row) }; // written by `makeKey`
  };

  const unseal = (row: SigningKeyRow): string => {
    try {
      return seal.open(row.sealedPrivateKey, purpose);
    } catch (cause) {
      throw new Error('The signing keys were sealed with another secret key than the one of ENTREPOT_SECRET_KEY or the data folder.', {
        cause,
      });
    }
  };

  const needsNext = (rows: readonly SigningKeyRow[], now: number) => !rows.some((row) => row.retiresAt - publishedAheadMs > now);

  const makeKey = (rows: readonly SigningKeyRow[], now: number): SigningKeyRow => {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    const id = ids.next('key');
    const retiresAt = Math.max(now, ...rows.map((row) => row.retiresAt)) + signsForMs;
    return {
      id,
      publicJwkJson: JSON.stringify({ ...publicKey.export({ format: 'jwk' }), kid: id, use: 'sig', alg: 'EdDSA' }),
      sealedPrivateKey: seal.seal(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), purpose),
      createdAt: now,
      retiresAt,
      expiresAt: retiresAt + Math.max(accessTokenTtlMs, dayMs),
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
        const made = makeKey(present, now);
        await trx.run([store.insertKey(made)]);
        return [...present, made];
      });
    }
    const live = new Set(rows.map((row) => row.id));
    for (const id of opened.keys()) if (!live.has(id)) opened.delete(id);
    for (const row of rows) if (!opened.has(row.id)) opened.set(row.id, open(row));
  };

  await reload();
  return {
    current() {
      const now = clock.now();
      const keys = [...opened.values()];
      const key = keys.find(({ retiresAt }) => retiresAt > now) ?? keys.at(-1);
      if (!key) throw new Error('There is no signing key.');
      return key;
    },
    all: () => [...opened.values()],
    reload,
  };
};
