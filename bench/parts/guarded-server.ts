import { generateKeyPairSync } from 'node:crypto';
import { Type } from 'typebox';
import { createClock } from '../../src/foundation/clock.ts';
import { createIds } from '../../src/foundation/ids.ts';
import { silentLog } from '../../src/foundation/log.ts';
import { createServer } from '../../src/http/server.ts';
import { createAuthenticate } from '../../src/modules/identity/authenticate.ts';
import { createAccessTokens } from '../../src/modules/identity/credentials/access-token.ts';
import { ownTokens } from '../../src/modules/identity/credentials/own-token.ts';
import { createDenials } from '../../src/modules/identity/sessions/denials.ts';
import type { SigningKey } from '../../src/modules/identity/sessions/signing-keys.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { serveProgram } from './program.ts';

// The server's own HTTP stack with one route twice: for everybody, and for whoever has a token.

const clock = createClock();
const { publicKey, privateKey } = generateKeyPairSync('ed25519');
const { x = '' } = publicKey.export({ format: 'jwk' });
const expiresAt = clock.now() + 3_600_000;
const key: SigningKey = {
  id: 'key_1',
  publicJwk: { kty: 'OKP', crv: 'Ed25519', x, kid: 'key_1', use: 'sig', alg: 'EdDSA' },
  privateKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  createdAt: clock.now(),
  retiresAt: expiresAt,
  expiresAt,
};
const keys = { current: () => key, all: () => [key] };
const accessTokens = createAccessTokens({ keys, clock, issuer: 'bench', ttlMs: 3_600_000 });
const { token } = accessTokens.issue({
  id: 'svc_1',
  kind: 'service',
  tenantId: 'ten_1',
  sessionId: 'ses_1',
  scopes: new Set(['events:send', 'events:read', 'trace:read']),
});

const app = createServer({
  log: silentLog,
  clock,
  ids: createIds(clock.now),
  authenticate: createAuthenticate({ credentials: [ownTokens({ accessTokens, denials: createDenials(), clock })] }),
  idempotency: { begin: async () => ({ state: 'new' }), finish: async () => {}, release: async () => {}, isAnswered: async () => false },
  corsOrigins: [],
  trustedProxies: [],
  version: '0.0.0',
  checks: {},
  isStopping: () => false,
  metrics: createMetrics(),
});
for (const [path, access] of [
  ['/bare', 'public'],
  ['/guarded', 'signed-in'],
] as const) {
  const schema = { summary: 'A thing', response: { 200: Type.Object({ id: Type.String() }) } };
  app.get(path, { config: { access }, schema }, async () => ({ id: 'thing_1' }));
}
const url = await app.listen({ port: 0, host: '127.0.0.1' });
serveProgram({ url, token }, async () => ({}));
