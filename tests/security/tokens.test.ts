import assert from 'node:assert/strict';
import { createPrivateKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createSeal, Secret } from '../../src/foundation/secret.ts';
import { readData } from '../support/data-file.ts';
import { call, givenOperator, givenService, type Json } from '../support/given.ts';
import { openConnection } from '../support/raw-http.ts';
import { startServer, type TestServer } from '../support/start-server.ts';

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
const decode = (part: string | undefined): Json => JSON.parse(Buffer.from(part ?? '', 'base64url').toString());

/** The key that signs, opened with the secret key: so a token is wrong in what the test says, and in nothing else. */
const readSigningKey = (folder: string): KeyObject => {
  const [row] = readData(folder, (rows) => rows('SELECT "sealedPrivateKey" FROM "signingKeys"'));
  const seal = createSeal(new Secret(readFileSync(join(folder, 'secret.key'), 'utf8').trim()));
  return createPrivateKey(seal.open(String(row?.sealedPrivateKey), 'signing-key'));
};

describe('who attacks the access tokens gets 401, and never a 5xx', () => {
  let server: TestServer;
  let service: Awaited<ReturnType<typeof givenService>>;
  let key: KeyObject;
  /** Where a token's header may point to. */
  let evil: Server;
  let evilUrl: string;
  let evilWasAsked = 0;

  before(async () => {
    // So that there is one issuer; without it `iss` is the address that the client used, and our key alone tells that a token is ours.
    server = await startServer({ env: { ENTREPOT_PUBLIC_URL: 'https://entrepot.example' } });
    service = await givenService(server, await givenOperator(server), ['events:send']);
    key = readSigningKey(server.dataFolder);
    evil = createServer((_request, response) => {
      evilWasAsked += 1;
      response.end('{}');
    });
    await new Promise<void>((resolve) => evil.listen(0, '127.0.0.1', resolve));
    evilUrl = `http://127.0.0.1:${(evil.address() as AddressInfo).port}/keys`;
  });
  after(async () => {
    evil.close();
    await server.stop();
  });

  const forge = (claims: object = {}, header: object = {}, by: KeyObject = key): string => {
    const [usualHeader, usualClaims] = service.token.split('.').map((part, index) => (index < 2 ? decode(part) : undefined));
    const input = `${encode({ ...usualHeader, ...header })}.${encode({ ...usualClaims, ...claims })}`;
    return `${input}.${sign(null, Buffer.from(input), by).toString('base64url')}`;
  };
  const ask = (token: string) => call(server, 'GET', '/v1/me', { token });
  const assertRefused = async (token: string, what: string) => {
    const { status, body } = await ask(token);
    assert.deepEqual([status, body?.type], [401, '/problems/bad-token'], what);
  };
  const now = () => Math.floor(Date.now() / 1000);

  it('a token made with our own key, right in everything, is good: what follows fails for the reason it names', async () => {
    assert.equal((await ask(forge())).status, 200);
  });

  it('a token for somebody else, by somebody else, expired, not valid yet, or from the future is refused although our key signed it', async () => {
    await assertRefused(forge({ aud: 'somebody' }), 'another audience');
    await assertRefused(forge({ aud: undefined }), 'no audience');
    await assertRefused(forge({ iss: 'https://elsewhere.example' }), 'another issuer');
    await assertRefused(forge({ iat: now() - 1000, exp: now() - 1 }), 'expired');
    await assertRefused(forge({ exp: undefined }), 'without expiry');
    await assertRefused(forge({ exp: 'never' }), 'an expiry that is no number');
    await assertRefused(forge({ nbf: now() + 600 }), 'not valid yet');
    await assertRefused(forge({ iat: now() + 600, exp: now() + 900 }), 'from the future');
    await assertRefused(forge({}, { typ: 'JWT' }), 'another type of token');
    await assertRefused(forge({}, { kid: 'key_00000000000000000000000000' }), 'an unknown key id');
    await assertRefused(forge({}, { kid: '../../../secret.key' }), 'a key id that is a path');
    await assertRefused(forge({}, { kid: "' OR 1=1 --" }), 'a key id that is SQL');
    await assertRefused(forge({}, { kid: ['a'] }), 'a key id that is a list');
    await assertRefused(forge({}, { crit: ['exp'] }), 'a demand that we do not know');
  });

  it('a token that brings its key along, or says where to fetch it, is refused, and nothing is fetched', async () => {
    const own = generateKeyPairSync('ed25519');
    const jwk = own.publicKey.export({ format: 'jwk' });
    await assertRefused(forge({}, { jwk }, own.privateKey), 'jwk');
    await assertRefused(
      forge({}, { jwk: { ...jwk, kid: decode(service.token.split('.')[0]).kid } }, own.privateKey),
      'jwk with our key id',
    );
    await assertRefused(forge({}, { jku: evilUrl }, own.privateKey), 'jku');
    await assertRefused(forge({}, { x5u: evilUrl }, own.privateKey), 'x5u');
    await assertRefused(forge({}, { x5c: ['AAAA'] }, own.privateKey), 'x5c');
    await assertRefused(forge({ iss: evilUrl }, { jku: evilUrl, kid: 'x' }, own.privateKey), 'an issuer that nobody trusts');
    assert.equal(evilWasAsked, 0);
  });

  it('claims of the wrong form are refused or give nothing, never a 500', async () => {
    for (const claims of [
      { sub: 1 },
      { sub: null },
      { tid: {} },
      { kind: 'god' },
      { scope: 7 },
      { scope: null },
      { sid: [] },
      { iat: 'x' },
    ]) {
      const { status } = await ask(forge(claims));
      assert.ok(status < 500, JSON.stringify(claims));
    }
    assert.ok(!(await ask(forge({ scope: 'operate no:such' }))).body.scopes.includes('no:such'));
  });

  it('an Authorization of a megabyte is refused as headers that are too large', async () => {
    const connection = await openConnection(server, 'GET /v1/me');
    connection.write(`GET /v1/me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${'x'.repeat(1024 * 1024)}\r\n\r\n`);
    const [answer] = await connection.answers();
    assert.deepEqual([answer?.status, answer?.body.type], [431, '/problems/headers-too-large']);
    assert.equal((await ask(service.token)).status, 200, 'the server goes on');
  });

  it('what stands in a stolen database opens nothing: no stored hash is a secret, a refresh token or an access token', async () => {
    const stored = readData(server.dataFolder, (rows) =>
      [
        'SELECT "secretHash" FROM "serviceSecrets"',
        'SELECT "tokenHash" FROM "refreshTokens"',
        'SELECT "passwordHash" FROM "people"',
        'SELECT "sealedPrivateKey", "id" FROM "signingKeys"',
      ].flatMap((query) => rows(query).flatMap((row) => Object.values(row).map(String))),
    );
    assert.ok(stored.length >= 5);
    for (const text of stored) {
      const signIns = [
        { method: 'secret', authId: service.authId, secret: text },
        { method: 'password', username: 'admin', password: text },
      ];
      for (const body of signIns) {
        const { status } = await call(server, 'POST', '/v1/sessions', { body });
        assert.ok(status === 401 || status === 429, `${body.method} ${status}`);
      }
      assert.equal((await call(server, 'POST', '/v1/sessions/refresh', { body: { refreshToken: text } })).status, 401);
      await assertRefused(text, 'a stored text as an access token');
    }
  });
});
