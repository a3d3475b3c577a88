import { generateKeyPairSync } from 'node:crypto';
import { createSigner, createVerifier } from 'fast-jwt';
import fastify from 'fastify';
import { Type } from 'typebox';
import { serveProgram } from './program.ts';

// What a server costs that does the same on the wire and keeps nothing: Fastify with its own defaults (its parser, its validator, its
// printer made from the schema, no log), an access token checked for each request, 202. It remembers the tokens that it has verified, as this
// server does; with BARE_REMEMBERS=no it verifies the signature of every request, as the library does by itself.

const { privateKey, publicKey } = generateKeyPairSync('ed25519', {
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' },
});
const iat = Math.floor(Date.now() / 1000);
const claims = { iss: 'bare', aud: 'bare', sub: 'svc_1', kind: 'service', tid: 'ten_1', scope: 'events:send', sid: 'ses_1', jti: 'j' };
const token = createSigner({ algorithm: 'EdDSA', key: privateKey })({ ...claims, iat, exp: iat + 3600 });
const verify = createVerifier({ algorithms: ['EdDSA'], key: publicKey, allowedIss: 'bare', allowedAud: 'bare' });

interface Proof {
  readonly scope: string;
  readonly exp: number;
}

/** Tokens that were verified, until they expire; bounded, as ours is. */
const verified = new Map<string, Proof>();
const maxVerified = 20_000;

const remembers = process.env.BARE_REMEMBERS !== 'no';

const proofOf = (authorization: string): Proof => {
  const sent = authorization.slice('Bearer '.length);
  if (!remembers) return verify(sent) as Proof; // the claims above
  const known = verified.get(sent);
  if (known !== undefined && known.exp * 1000 > Date.now()) return known;
  const proof = verify(sent) as Proof; // the claims above
  if (verified.size >= maxVerified) verified.clear();
  verified.set(sent, proof);
  return proof;
};

const EventIn = Type.Object(
  {
    id: Type.String({ minLength: 1, maxLength: 255 }),
    name: Type.String({ minLength: 1, maxLength: 255 }),
    body: Type.Optional(Type.Unknown()),
    timestamp: Type.Optional(Type.String()),
  },
  { additionalProperties: true },
);
const Receipt = Type.Object({ id: Type.String(), status: Type.String(), duplicate: Type.Boolean(), receivedAt: Type.String() });

const app = fastify();
app.post<{ Body: { id: string } }>('/v1/events', {
  schema: { body: EventIn, response: { 202: Receipt } },
  onRequest: async (request, reply) => {
    const { authorization = '' } = request.headers;
    if (!authorization.startsWith('Bearer ')) return reply.code(401).send();
    if (!proofOf(authorization).scope.includes('events:send')) return reply.code(403).send();
  },
  handler: async (request, reply) => {
    reply.code(202);
    return { id: request.body.id, status: 'accepted', duplicate: false, receivedAt: new Date().toISOString() };
  },
});

const url = await app.listen({ port: 0, host: '127.0.0.1' });
serveProgram({ url, token }, async () => ({}));
