import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { call, type Json } from '../support/given.ts';
import { operator, startServer, type TestServer } from '../support/start-server.ts';

/** The same server, reached by an address of this machine. */
const by = ({ url }: TestServer, host: string) => ({ url: `http://${host}:${new URL(url).port}` });

const signIn = (server: Pick<TestServer, 'url'>, headers: Readonly<Record<string, string>> = {}, password: string = operator.password) =>
  call(server, 'POST', '/v1/sessions', { headers, body: { method: 'password', username: operator.username, password } });

/** The address that the server takes a client for. */
const addressSeen = async (server: Pick<TestServer, 'url'>, headers: Readonly<Record<string, string>> = {}): Promise<string> => {
  const { status, body: session } = await signIn(server, headers);
  assert.equal(status, 201);
  const { items } = (await call(server, 'GET', '/v1/sessions', { token: session.accessToken })).body;
  return items.find(({ isCurrent }: Json) => isCurrent).address;
};

describe('the address of a client', () => {
  let open: TestServer;
  let behind: TestServer;
  before(async () => {
    [open, behind] = await Promise.all([
      startServer({ env: { ENTREPOT_HOST: '::' } }),
      startServer({ env: { ENTREPOT_HOST: '::', ENTREPOT_TRUSTED_PROXIES: '127.0.0.1,10.0.0.0/8,fd00::/8' } }),
    ]);
  });
  after(() => Promise.all([open.stop(), behind.stop()]));

  it('is that of its connection, whatever it claims: nothing is forged by default', async () => {
    for (const forged of [
      { 'x-forwarded-for': '203.0.113.7' },
      { 'x-forwarded-for': '203.0.113.7, 10.0.0.1' },
      { 'x-real-ip': '203.0.113.7' },
      { forwarded: 'for=203.0.113.7' },
      { 'cf-connecting-ip': '203.0.113.7', 'true-client-ip': '203.0.113.7', 'x-client-ip': '203.0.113.7' },
    ]) {
      assert.equal(await addressSeen(by(open, '127.0.0.1'), forged), '127.0.0.1', JSON.stringify(forged));
      assert.equal(await addressSeen(by(open, '[::1]'), forged), '::1', JSON.stringify(forged));
    }
  });

  it('is the last that no trusted proxy has: what stands before it, anybody can have written', async () => {
    const through = (forwarded: string) => addressSeen(by(behind, '127.0.0.1'), { 'x-forwarded-for': forwarded });
    assert.equal(await through('203.0.113.7'), '203.0.113.7');
    assert.equal(await through('198.51.100.1, 203.0.113.7'), '203.0.113.7');
    assert.equal(await through('198.51.100.1, 203.0.113.7, 10.1.2.3'), '203.0.113.7');
    assert.equal(await through('127.0.0.1, 203.0.113.7, fd00::17, 10.1.2.3'), '203.0.113.7');
    assert.equal(await through('2001:db8::7'), '2001:db8::7');
    assert.equal(await through('::ffff:203.0.113.7'), '203.0.113.7', 'an IPv4 address in the clothes of IPv6');
    assert.equal(await through('203.0.113.7, ::ffff:10.1.2.3'), '203.0.113.7', 'a proxy in the clothes of IPv6');
  });

  it('is that of the connection where the proxy handed on what is no address', async () => {
    for (const nonsense of ['unknown', '203.0.113.7:4711', '<script>', '999.1.1.1', ',', 'x'.repeat(5000)]) {
      assert.equal(await addressSeen(by(behind, '127.0.0.1'), { 'x-forwarded-for': nonsense }), '127.0.0.1', nonsense.slice(0, 20));
    }
  });

  it('counts for nothing from a proxy that is not trusted', async () => {
    assert.equal(await addressSeen(by(behind, '[::1]'), { 'x-forwarded-for': '203.0.113.7' }), '::1');
  });

  it('is one with its whole network of IPv6 where guesses are counted, and who forges it is counted all the same', async () => {
    const guess = async (server: Pick<TestServer, 'url'>, from: string, password = 'wrong wrong wrong') =>
      (await signIn(server, { 'x-forwarded-for': from }, password)).status;
    for (let host = 1; host <= 10; host += 1) assert.equal(await guess(by(behind, '127.0.0.1'), `2001:db8:1:2::${host}`), 401);
    assert.equal(await guess(by(behind, '127.0.0.1'), '2001:db8:1:2:ffff:ffff:ffff:ffff', operator.password), 429);
    assert.equal(await guess(by(behind, '127.0.0.1'), '2001:db8:1:3::1', operator.password), 201);

    for (let host = 1; host <= 10; host += 1) assert.equal(await guess(by(open, '127.0.0.1'), `203.0.113.${host}`), 401);
    assert.equal(await guess(by(open, '127.0.0.1'), '203.0.113.99', operator.password), 429);
    assert.equal(await guess(by(open, '[::1]'), '203.0.113.99', operator.password), 201, 'other addresses go on');
  });
});
