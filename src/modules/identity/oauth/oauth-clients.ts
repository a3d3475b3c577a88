import { type Database, WriteRefused } from '../../../database/database.ts';
import { oauthProblem } from '../../../foundation/oauth-problem.ts';
import { Problem } from '../../../foundation/problem.ts';
import type { Guess } from '../guessing.ts';
import type { ScopesNow } from '../sessions/scopes-now.ts';
import type { Origin, Sessions } from '../sessions/sessions.ts';
import type { Proven } from '../sign-in/sign-in-method.ts';
import type { OauthParameters } from './grants/grant.ts';

/** A client of the OAuth endpoints: a service by its `authId`, or a program that everybody has and that can keep no secret. */
export interface OauthClient {
  readonly id: string;
  /** The service, proven by its secret; absent for a client without one. */
  readonly service?: Proven;
}

export interface OauthClients {
  /**
   * Who calls, by HTTP Basic or by `client_id` and `client_secret` in the body (RFC 6749 §2.3.1), under the limits of signing in. Throws
   * `invalid_client`, the same for unknown and wrong, `invalid_request` for two proofs at once, and `too-many`.
   */
  authenticate(authorization: string | undefined, parameters: OauthParameters, origin: Origin, tell: Guess['tell']): Promise<OauthClient>;
}

/** Programs that run at people's machines and act for them: whatever they brought with them would be no secret (RFC 6749 §2.1). */
const publicClients: ReadonlySet<string> = new Set(['entrepot-cli']);

export const createOauthClients = ({
  database,
  sessions,
  scopesNow,
}: {
  database: Pick<Database, 'write'>;
  sessions: Pick<Sessions, 'prove'>;
  scopesNow: ScopesNow;
}): OauthClients => {
  const proveService = async (authId: string, secret: string, origin: Origin, tell: Guess['tell']): Promise<Proven> => {
    if (authId.length > maxLength || secret.length > maxLength) throw invalidClient();
    try {
      const proof = await sessions.prove({ method: 'secret', authId, secret }, origin, tell);
      const scopes = await scopesNow(proof.who);
      if (!scopes) throw invalidClient();
      await database.write(proof.writes);
      return { ...proof, scopes };
    } catch (error) {
      const isRefused = error instanceof WriteRefused || (error instanceof Problem && error.kind === 'bad-credentials');
      throw isRefused ? invalidClient() : error;
    }
  };

  return {
    async authenticate(authorization, parameters, origin, tell) {
      const { id, secret } = credentialsIn(authorization, parameters);
      if (publicClients.has(id)) {
        if (secret !== undefined) throw invalidClient();
        return { id };
      }
      if (secret === undefined) throw invalidClient();
      return { id, service: await proveService(id, secret, origin, tell) };
    },
  };
};

/** Longer than any that we give. */
const maxLength = 256;

interface Credentials {
  readonly id: string;
  readonly secret: string | undefined;
}

const credentialsIn = (authorization: string | undefined, parameters: OauthParameters): Credentials => {
  const id = parameters.get('client_id');
  const secret = parameters.get('client_secret');
  if (authorization === undefined) {
    if (id === undefined) throw invalidClient();
    return { id, secret };
  }
  const basic = basicCredentials(authorization);
  // RFC 6749 §2.3: one way to prove itself in a request. A repeated name is no second proof, unless it is another name.
  if (secret !== undefined || (id !== undefined && id !== basic.id)) {
    throw oauthProblem('invalid_request', 'The client proves itself either by the Authorization header or in the body.');
  }
  return basic;
};

/** RFC 6749 §2.3.1: both halves are form-encoded before they are joined, so that an id may hold a colon. An empty secret is none. */
const basicCredentials = (authorization: string): Credentials => {
  const [, encoded] = /^basic +([A-Za-z0-9+/_=-]+) *$/i.exec(authorization) ?? [];
  const text = Buffer.from(encoded ?? '', 'base64').toString('utf8');
  const colon = text.indexOf(':');
  if (colon < 1) throw invalidClient();
  const secret = formDecoded(text.slice(colon + 1));
  return { id: formDecoded(text.slice(0, colon)), secret: secret === '' ? undefined : secret };
};

const formDecoded = (text: string): string => {
  try {
    const decoded = decodeURIComponent(text.replaceAll('+', ' '));
    if (!/[\u0000-\u001f\u007f]/.test(decoded)) return decoded;
  } catch {
    // A malformed percent-encoding is nobody's name.
  }
  throw invalidClient();
};

const invalidClient = () => oauthProblem('invalid_client', 'The client is unknown, or its secret is wrong or missing.');
