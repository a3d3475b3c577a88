import type { Database } from '../../../database/database.ts';
import { type Clock, toRfc3339 } from '../../../foundation/clock.ts';
import type { Ids } from '../../../foundation/ids.ts';
import type { Seal } from '../../../foundation/secret.ts';
import type { Trace } from '../../trace/trace.ts';
import { createPersonStore } from '../accounts/person-store.ts';
import { createSigningKeyStore } from './signing-key-store.ts';
import { createSigningKeys, type Rotation } from './signing-keys.ts';

/** A signing key as the operator sees it. */
export interface KeySeen {
  readonly id: string;
  /** `next`: published, signs later; `signs`; `verifies`: only what it has signed. */
  readonly state: 'next' | 'signs' | 'verifies';
  readonly createdAt: string;
  readonly signsUntil: string;
  readonly verifiesUntil: string;
}

/** The signing keys for who looks after them, without the rest of identity. */
export interface KeyRing {
  list(): KeySeen[];
  /** As `SigningKeys.rotate`; resolves with the new key. */
  rotate(how: Rotation): Promise<KeySeen>;
  close(): Promise<void>;
}

export const openKeyRing = async ({
  database,
  trace,
  clock,
  ids,
  seal,
  accessTokenTtlMs,
}: {
  database: Database;
  trace: Trace;
  clock: Clock;
  ids: Ids;
  seal: Seal;
  accessTokenTtlMs: number;
}): Promise<KeyRing> => {
  const keys = await createSigningKeys({ database, store: createSigningKeyStore(database), trace, seal, clock, ids, accessTokenTtlMs });
  const tenantId = await createPersonStore(database).getTenantId('default');
  const list = (): KeySeen[] => {
    const signing = keys.current().id;
    const now = clock.now();
    return keys.all().map(({ id, createdAt, retiresAt, expiresAt }) => ({
      id,
      state: id === signing ? 'signs' : retiresAt > now ? 'next' : 'verifies',
      createdAt: toRfc3339(createdAt),
      signsUntil: toRfc3339(retiresAt),
      verifiesUntil: toRfc3339(expiresAt),
    }));
  };
  return {
    list,
    async rotate(how) {
      const { id } = await keys.rotate(how, { tenantId, place: 'command line' });
      const made = list().find((key) => key.id === id);
      if (!made) throw new Error(`The new key ${id} was rotated away at the same moment.`);
      return made;
    },
    close: () => database.close(),
  };
};
