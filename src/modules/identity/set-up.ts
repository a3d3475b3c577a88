import { type Database, type Trx, UniqueViolation, WriteRefused } from '../../database/database.ts';
import type { PersonRow } from '../../database/tables.ts';
import type { Clock } from '../../foundation/clock.ts';
import type { Ids } from '../../foundation/ids.ts';
import { Problem } from '../../foundation/problem.ts';
import { hashOf, isSameText, newSecretText, type Secret } from '../../foundation/secret.ts';
import type { Trace } from '../trace/trace.ts';
import type { Guess, Guessing } from './guessing.ts';
import { type Passwords, passwordLength } from './passwords.ts';
import type { PersonStore } from './person-store.ts';
import type { Origin } from './sessions.ts';
import { mustBeUsername, usernameKeyOf } from './usernames.ts';

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
  passwords,
  guessing,
  trace,
  clock,
  ids,
  tenantId,
}: {
  database: Pick<Database, 'transaction'>;
  store: PersonStore;
  passwords: Passwords;
  guessing: Guessing;
  trace: Pick<Trace, 'entries'>;
  clock: Clock;
  ids: Ids;
  tenantId: string;
}): SetUp => {
  const toPerson = (username: string, passwordHash: string): PersonRow => ({
    id: ids.next('person'),
    tenantId,
    username: username.normalize('NFKC'),
    usernameKey: usernameKeyOf(username),
    passwordHash,
    email: null,
    pendingEmail: null,
    displayName: null,
    role: 'operator',
    rolesJson: '[]',
    state: 'active',
    createdAt: clock.now(),
    updatedAt: clock.now(),
  });

  const insertOperator = async (trx: Trx, person: PersonRow, origin?: Origin) => {
    const traced = trace.entries([
      {
        tenantId,
        subject: person.id,
        kind: 'person',
        at: clock.now(),
        what: 'set-up',
        who: person.id,
        ...(origin ? { requestId: origin.requestId, place: origin.address } : { place: 'settings' }),
      },
    ]);
    await trx.run([store.insertPerson(person), store.removeUnusedSetUpTokens(), ...traced]);
  };

  const isRightToken = async (token: string): Promise<boolean> => {
    const found = await store.findUnusedSetUpToken();
    const isSame = isSameText(hashOf(token), found?.tokenHash ?? 'none');
    return isSame && found !== undefined;
  };

  return {
    async ensureFirstOperator(operator) {
      if (await store.hasOperator()) return {};
      if (operator) {
        mustBeOperator(operator.name, operator.password.reveal());
        const person = toPerson(operator.name, await passwords.hash(operator.password.reveal()));
        await database.transaction(async (trx) => {
          if (!(await store.hasOperator(trx))) await insertOperator(trx, person);
        });
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
      mustBeUsername(username);
      const person = toPerson(username, await passwords.hash(password));
      try {
        await database.transaction(async (trx) => {
          if (await store.hasOperator(trx)) throw alreadySetUp();
          await trx.run([store.useSetUpToken({ tokenHash: hashOf(token), at: clock.now() })]);
          await insertOperator(trx, person, origin);
        });
      } catch (error) {
        if (error instanceof WriteRefused) throw alreadySetUp();
        if (error instanceof UniqueViolation) throw new Problem('conflict', 'The user name is taken.', { cause: error });
        throw error;
      }
      return { id: person.id, username: person.username };
    },
  };
};

const alreadySetUp = () => new Problem('already-set-up', 'There is an operator already; sign in instead.');

/** What the settings name is checked like what a request names. */
const mustBeOperator = (name: string, password: string) => {
  mustBeUsername(name, '/name');
  const { min, max } = passwordLength;
  const length = [...password].length;
  if (length < min || length > max) throw new Problem('bad-body', `The operator's password must have ${min} to ${max} characters.`);
};
