import type { Write } from '../../../database/database.ts';
import type { MailTokenRow, PersonRow } from '../../../database/tables.ts';
import type { Clock } from '../../../foundation/clock.ts';
import { Problem } from '../../../foundation/problem.ts';
import { hashOf, newSecretText } from '../../../foundation/secret.ts';
import { mailText } from './mail-texts.ts';
import type { MailPurpose, MailTokenStore } from './mail-token-store.ts';
import type { Post } from './post.ts';

const hourMs = 60 * 60 * 1000;
export const mailTokenTtlMs: Readonly<Record<MailPurpose, number>> = { confirm: 24 * hourMs, reset: hourMs };

/** Tokens that are mailed, and prove that the mail was received. */
export interface MailTokens {
  /** Mails a new token, which replaces those of the same purpose before; for the transaction of the act. Call `announce` afterwards. */
  writes(person: Pick<PersonRow, 'id' | 'tenantId' | 'username'>, purpose: MailPurpose, to: string): Write[];
  announce(): void;
  /** The write that makes what was mailed so far worthless. */
  revoke(personId: string, purpose: MailPurpose): Write;
  /** What the token stands for. Throws `bad-mail-token`. */
  get(token: string, purpose: MailPurpose): Promise<MailTokenRow>;
  /** The write that uses it up; refused by the database when somebody was faster. */
  use(row: MailTokenRow): Write;
}

export const createMailTokens = ({
  store,
  post,
  clock,
  publicUrl,
}: {
  store: MailTokenStore;
  post: Pick<Post, 'writes' | 'announce'>;
  clock: Clock;
  publicUrl: string | undefined;
}): MailTokens => ({
  writes({ id: personId, tenantId, username }, purpose, to) {
    const token = newSecretText();
    const createdAt = clock.now();
    const expiresAt = createdAt + mailTokenTtlMs[purpose];
    return [
      store.removeTokens({ personId, purpose }),
      store.insertToken({ tokenHash: hashOf(token), purpose, tenantId, personId, createdAt, expiresAt }),
      ...post.writes({ tenantId, personId, to, expiresAt, ...mailText(purpose, { username, token, publicUrl }) }),
    ];
  },
  announce: post.announce,
  revoke: (personId, purpose) => store.removeTokens({ personId, purpose }),
  async get(token, purpose) {
    const found = await store.findToken(hashOf(token), purpose, clock.now());
    if (!found) throw badMailToken();
    return found;
  },
  use: ({ tokenHash }) => store.useToken({ tokenHash }),
});

export const badMailToken = () => new Problem('bad-mail-token', 'The token was used, has expired or was replaced by a later one.');
