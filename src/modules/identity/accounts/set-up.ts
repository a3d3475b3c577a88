import { type Database, WriteRefused } from '../../../database/database.ts';
import type { Clock } from '../../../foundation/clock.ts';
import { Problem } from '../../../foundation/problem.ts';
import { hashOf, isSameText, newSecretText, type Secret } from '../../../foundation/secret.ts';
import type { Guess, Guessing } from '../guessing.ts';
import type { Origin } from '../sessions/sessions.ts';
import { type MakePerson, orNameTaken } from './person-acts.ts';
import type { PersonStore } from './person-store.ts';

export interface SetUpWanted {
  readonly token: string;
  readonly username: string;
  readonly password: string;
}

/** How the instance gets its first operator. */
export interface SetUp {
  /**
   * Does nothing where there is an operator. Else makes the one that the settings name, or a new one-time token, which replaces the
   * one before. Rejects for a name or password that nobody may have.
   */
  ensureFirstOperator(operator?: { name: string; password: Secret }): Promise<{ setUpToken?: string }>;
  isSetUp(): Promise<boolean>;
  /** Makes the first operator. Throws `already-set-up`, `bad-credentials` for a wrong token, `bad-body`, `too-many`. */
  setUp(wanted: SetUpWanted, origin: Origin, tell: Guess['tell']): Promise<{ id: string; username: string }>;
}

export const createSetUp = ({
  database,
  store,
  makePerson,
  guessing,
  clock,
  tenantId,
}: {
  database: Pick<Database, 'transaction'>;
  store: PersonStore;
  makePerson: MakePerson;
  guessing: Guessing;
  clock: Clock;
  tenantId: string;
}): SetUp => {
  const makeOperator = ({ username, password }: { username: string; password: string }, origin?: Origin) =>
    makePerson(
      { tenantId, username, password, role: 'operator' },
      { what: 'set-up', place: origin?.address ?? 'settings', requestId: origin?.requestId },
    );

  const isRightToken = async (token: string): Promise<boolean> => {
    const found = await store.findUnusedSetUpToken();
    const isSame = isSameText(hashOf(token), found?.tokenHash ?? 'none');
    return isSame && found !== undefined;
  };

  return {
    async ensureFirstOperator(operator) {
      if (await store.hasOperator()) return {};
      if (operator) {
        const { writes } = await makeOperator({ username: operator.name, password: operator.password.reveal() });
        await orNameTaken(
          database.transaction(async (trx) => {
            if (!(await store.hasOperator(trx))) await trx.run([...writes, store.removeUnusedSetUpTokens()]);
          }),
        );
        return {};
      }
      const token = newSecretText();
      return await database.transaction(async (trx) => {
        if (await store.hasOperator(trx)) return {};
        await trx.run([
          store.removeUnusedSetUpTokens(),
          store.insertSetUpToken({ tokenHash: hashOf(token), createdAt: clock.now(), usedAt: null }),
        ]);
        return { setUpToken: token };
      });
    },

    isSetUp: () => store.hasOperator(),

    async setUp({ token, username, password }, origin, tell) {
      if (await store.hasOperator()) throw alreadySetUp();
      const right = await guessing.guard({ name: 'set-up', address: origin.address, tell }, async () =>
        (await isRightToken(token)) ? { token } : undefined,
      );
      // Somebody may have used it while this one looked.
      if (!right && (await store.hasOperator())) throw alreadySetUp();
      if (!right) throw new Problem('bad-credentials', 'The set-up token is wrong, used, or replaced by a later start.');
      const { person, writes } = await makeOperator({ username, password }, origin);
      try {
        await orNameTaken(
          database.transaction(async (trx) => {
            if (await store.hasOperator(trx)) throw alreadySetUp();
            const use = store.useSetUpToken({ tokenHash: hashOf(token), at: clock.now() });
            await trx.run([use, ...writes, store.removeUnusedSetUpTokens()]);
          }),
        );
      } catch (error) {
        if (error instanceof WriteRefused) throw alreadySetUp();
        throw error;
      }
      return { id: person.id, username: person.username };
    },
  };
};

const alreadySetUp = () => new Problem('already-set-up', 'There is an operator already; sign in instead.');
