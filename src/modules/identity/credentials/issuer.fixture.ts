import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';

type Pair = Awaited<ReturnType<typeof generateKeyPair>>;

/** What the issuer answers: everything as it should, nothing at all, or something else. */
export type IssuerMood = 'well' | 'away' | 'huge' | 'other-issuer' | 'no-openid' | 'garbage';

/** A real identity provider on a port of this machine, as far as a resource server sees one. */
export const startIssuer = async (context: { after(end: () => void): void }, alg = 'ES256') => {
  const keys: { kid: string; pair: Pair; jwk: JWK }[] = [];
  let mood: IssuerMood = 'well';
  let issuer = '';
  const fetched: string[] = [];

  const addKey = async (keyAlg = alg) => {
    const pair = await generateKeyPair(keyAlg, { extractable: true });
    const kid = `kid-${keys.length + 1}`;
    keys.push({ kid, pair, jwk: { ...(await exportJWK(pair.publicKey)), kid, alg: keyAlg, use: 'sig' } });
    return kid;
  };
  await addKey();

  const answers: Readonly<Record<string, () => unknown>> = {
    '/.well-known/openid-configuration': () =>
      mood === 'no-openid' ? undefined : { issuer: mood === 'other-issuer' ? 'http://evil.example' : issuer, jwks_uri: `${issuer}/keys` },
    '/.well-known/oauth-authorization-server': () => (mood === 'no-openid' ? { issuer, jwks_uri: `${issuer}/keys` } : undefined),
    '/keys': () => (mood === 'huge' ? { keys: [], padding: 'x'.repeat(300_000) } : { keys: keys.map(({ jwk }) => jwk) }),
  };
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    fetched.push(path);
    if (mood === 'away') return void request.socket.destroy();
    const answer = answers[path]?.();
    if (answer === undefined) return void response.writeHead(404).end('{}');
    response.writeHead(200, { 'content-type': 'application/json' }).end(mood === 'garbage' ? '{"keys":' : JSON.stringify(answer));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  return {
    issuer,
    keys,
    addKey,
    /** How often its keys were fetched. */
    keyFetches: () => fetched.filter((path) => path === '/keys').length,
    be(next: IssuerMood) {
      mood = next;
    },
    /** A token of a person; `claims` and `header` replace what is usual, undefined takes it away. */
    async token(claims: Record<string, unknown> = {}, header: Record<string, unknown> = {}, key = keys.at(-1)) {
      const now = Math.floor(Date.now() / 1000);
      const all = { iss: issuer, aud: 'entrepot', sub: 'user-1', iat: now, exp: now + 3600, ...claims };
      if (!key) throw new Error('The issuer has no key.');
      const headers = { alg: key.jwk.alg ?? alg, kid: key.kid, ...header };
      return await new SignJWT(all).setProtectedHeader(headers).sign(key.pair.privateKey);
    },
  };
};
